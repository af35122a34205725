"""Router of payloads: inline, inline-gzip or S3 for a submission's frame. Pure: frame in, route and text out.

| condition                                  | route       |
|--------------------------------------------|-------------|
| raw <= 4 KiB (and it fits)                 | inline      |
| raw > 4 KiB, fits inline after gzip        | inline-gzip |
| else                                       | S3          |

Raw is the whole submission's frame. "Fits" is counted on what AWS counts: the encoded text inside the request
and inside the overrides that ECS gets.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from container.batch_job_wire.payload_forms import (
    MAX_INLINE_FRAME,
    PayloadForm,
    payload_form,
    to_bundle,
    to_inline,
    to_inline_gzip,
)
from engine.aws.limits import INLINE_TEXT_LIMIT
from engine.model import Route

RAW_INLINE_LIMIT: Final = 4 * 1024
"""The seed's: raw bytes that travel uncompressed."""
ROUTES: Final[Mapping[PayloadForm, Route]] = {
    PayloadForm.PLAIN: Route.INLINE,
    PayloadForm.GZIP: Route.GZIP,
    PayloadForm.BUNDLE: Route.S3,
}
"""By the form in which a payload travels, the route that it took."""
_PROBE_FROM: Final = 256 * 1024
_PROBE_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Room:
    """Characters that an encoded payload may have in this submission."""

    text: int

    @classmethod
    def within(cls, *limits: int) -> Room:
        """The room that all of these limits leave, in characters."""
        return cls(max(0, min(INLINE_TEXT_LIMIT, *limits)))


@dataclass(frozen=True, slots=True)
class RoutedPayload:
    """`text` is the job's payload parameter; `wire_bytes` what travels, in the request or as the S3 object."""

    route: Route
    text: str
    wire_bytes: int
    why: str
    """One sentence: which condition held, with its numbers."""


def route_payload(frame: bytes, room: Room, bundle_token: bytes) -> RoutedPayload:
    """Pick the first route of the table that the frame fits; `bundle_token` (16 bytes) names it when that is S3."""
    raw = len(frame)
    if raw <= RAW_INLINE_LIMIT:
        text = to_inline(frame)
        if len(text) <= room.text:
            why = f"{raw:,} bytes are not more than {RAW_INLINE_LIMIT:,}, and its text of {len(text):,} characters fits"
            return RoutedPayload(Route.INLINE, text, len(text), why)
    packed = _packed(frame, room)
    if packed is not None:
        why = f"{raw:,} bytes compressed to {len(packed):,} characters, of {room.text:,} that the job has room for"
        return RoutedPayload(Route.GZIP, packed, len(packed), why)
    return RoutedPayload(Route.S3, to_bundle(bundle_token), raw, _why_s3(raw, room))


def route_of(text: str) -> Route:
    """Find the route of a payload parameter that was sent once. Raises `PayloadFormError` for an unknown form."""
    return ROUTES[payload_form(text)]


def _why_s3(raw: int, room: Room) -> str:
    if room.text == 0:
        return f"{raw:,} bytes through S3, because the job may carry no payload"
    return f"{raw:,} bytes don't fit into {room.text:,} characters, compressed or not"


def _packed(frame: bytes, room: Room) -> str | None:
    if len(frame) > MAX_INLINE_FRAME or room.text == 0:
        return None
    if len(frame) > _PROBE_FROM and not _may_fit(frame, room):
        return None
    text = to_inline_gzip(frame)
    return text if len(text) <= room.text else None


def _may_fit(frame: bytes, room: Room) -> bool:
    """Compresses until the room is used up: what doesn't compress costs milliseconds, however large it is."""
    compressor = zlib.compressobj(9)
    size = 0
    for start in range(0, len(frame), _PROBE_CHUNK):
        size += len(compressor.compress(memoryview(frame)[start : start + _PROBE_CHUNK]))
        if size > room.text:
            return False
    return True
