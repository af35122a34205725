"""Codec of the telemetry protocol: messages to frames, and foreign frames refused in words.

A published message is one frame, a `Tick`. A request is one frame, an `Ask`, from a DEALER socket (a ROUTER sees the
sender's identity before it); an answer is one frame, a `Reply`.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from engine.telemetry.schema.messages import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, VERSION, Ask, Reply, Tick

T = TypeVar("T", Tick, Ask, Reply)
UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises over foreign bytes: a damaged string is no error of its own."""


class BadFrame(ValueError):
    """Frame that is no message of ours: garbage, too big, or of a younger release; `id` is its, when it has one."""

    def __init__(self, why: str, id: int | None = None) -> None:
        super().__init__(why)
        self.id = id


class OtherVersion(ValueError):
    """Message of another version of the protocol; `id` is the request's, when it could be read."""

    def __init__(self, theirs: int, id: int | None = None) -> None:
        super().__init__(
            f"it speaks version {theirs} of telemetry, this program version {VERSION}: use the same release of "
            "scaler-batch on both sides"
        )
        self.id = id


class _Envelope(msgspec.Struct):
    """Fields that every version has in common."""

    version: int
    id: int | None = None


_encoder = msgspec.msgpack.Encoder()
_envelopes = msgspec.msgpack.Decoder(_Envelope)
_ticks = msgspec.msgpack.Decoder(Tick)
_asks = msgspec.msgpack.Decoder(Ask)
_replies = msgspec.msgpack.Decoder(Reply)


def encode(message: Tick | Ask | Reply) -> bytes:
    """Encode one message as one frame."""
    return _encoder.encode(message)


def decode_tick(frame: bytes) -> Tick:
    """Decode a published frame. Raises `BadFrame`, `OtherVersion`."""
    return _decode(frame, _ticks, MAX_MESSAGE_BYTES)


def decode_ask(frame: bytes) -> Ask:
    """Decode a request. Raises `BadFrame`, `OtherVersion`."""
    return _decode(frame, _asks, MAX_REQUEST_BYTES)


def decode_reply(frame: bytes) -> Reply:
    """Decode an answer. Raises `BadFrame`, `OtherVersion`."""
    return _decode(frame, _replies, MAX_MESSAGE_BYTES)


def _decode(frame: bytes, decoder: msgspec.msgpack.Decoder[T], limit: int) -> T:
    if len(frame) > limit:
        raise BadFrame(f"a message of {len(frame)} bytes, more than the {limit} that are allowed")
    try:
        message = decoder.decode(frame)
    except UNDECODABLE as error:
        raise BadFrame(f"not a message of ours: {error}", _id_of_our_version(frame)) from error
    if message.version != VERSION:
        raise OtherVersion(message.version, None if isinstance(message, Tick) else message.id)
    return message


def _id_of_our_version(frame: bytes) -> int | None:
    try:
        envelope = _envelopes.decode(frame)
    except UNDECODABLE:
        return None
    if envelope.version != VERSION:
        raise OtherVersion(envelope.version, envelope.id)
    return envelope.id
