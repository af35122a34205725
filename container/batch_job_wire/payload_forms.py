"""Forms of a payload: how a payload frame is told in one parameter of a job, whole or by where it lies."""

from __future__ import annotations

import base64
import re
import zlib
from enum import Enum
from typing import Final

from .protocol import WITH_CODE

MAX_INLINE_FRAME: Final = 64 * 1024 * 1024
"""Bytes to which an inline payload may unpack."""


class PayloadFormError(ValueError):
    """A payload parameter that can't be read. The text is one sentence for a person."""


class PayloadForm(str, Enum):
    """Encoding of the payload frame in the payload parameter, by its first characters."""

    PLAIN = "b"  # `b:` and URL-safe base64 of the frame
    GZIP = "z"  # `z:` and URL-safe base64 of the frame's gzip
    BUNDLE = "s3"  # `s3:` and 32 hex digits: the frame lies in S3, under `bundle_name`; only `s3` in release 0.1


BUNDLE_TEXT: Final = PayloadForm.BUNDLE.value
"""The payload parameter with which release 0.1 sent a submission whose frame lies in S3, as `payloads/<its id>`."""
_BUNDLE: Final = f"{BUNDLE_TEXT}(:[0-9a-f]{{32}})?"


def payload_form(text: str) -> PayloadForm:
    """The form of a payload parameter. Raises `PayloadFormError` for one that this release doesn't know."""
    text = text.removeprefix(WITH_CODE)
    prefix, colon, _ = text.partition(":")
    if re.fullmatch(_BUNDLE, text):
        return PayloadForm.BUNDLE
    for form in (PayloadForm.PLAIN, PayloadForm.GZIP):
        if prefix == form.value and colon:
            return form
    raise PayloadFormError(
        f"the payload parameter ({len(text)} characters) has the unknown form {prefix[:8]!r}, expected 'b:', 'z:' or "
        f"{BUNDLE_TEXT!r}: use one release for manager and image"
    )


def to_bundle(token: bytes) -> str:
    """The job parameter text of a frame in S3: `s3:` and the 16 bytes by which its name can't be guessed, in hex."""
    return f"{BUNDLE_TEXT}:{token.hex()}"


def to_inline(frame: bytes) -> str:
    """The frame as job parameter text: `b:` and URL-safe base64."""
    return _inline(PayloadForm.PLAIN, frame)


def to_inline_gzip(frame: bytes) -> str:
    """The frame as job parameter text: `z:` and URL-safe base64 of its gzip (the same bytes each time)."""
    import gzip  # no job needs it

    return _inline(PayloadForm.GZIP, gzip.compress(frame, mtime=0))


def from_inline(text: str) -> bytes:
    """The frame of an inline text; at most `MAX_INLINE_FRAME` bytes come out. Raises `PayloadFormError`."""
    form = payload_form(text)
    if form is PayloadForm.BUNDLE:
        raise PayloadFormError("the payload is no inline text: it lies in S3")
    try:
        data = base64.b64decode(text.partition(":")[2], altchars=b"-_", validate=True)
    except ValueError:
        raise PayloadFormError(f"the inline payload ({len(text)} characters) is no base64") from None
    return _gunzip(data) if form is PayloadForm.GZIP else data


def _inline(form: PayloadForm, data: bytes) -> str:
    return f"{form.value}:{base64.urlsafe_b64encode(data).decode('ascii')}"


def _gunzip(data: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        frame = decompressor.decompress(data, MAX_INLINE_FRAME + 1)
    except zlib.error:
        raise PayloadFormError(f"the inline payload ({len(data)} bytes) is no gzip") from None
    if len(frame) > MAX_INLINE_FRAME:
        raise PayloadFormError(f"the inline payload unpacks to more than {MAX_INLINE_FRAME} bytes")
    if not decompressor.eof:
        raise PayloadFormError(f"the inline payload ({len(data)} bytes of gzip) ends too early")
    return frame
