"""Greeting of Scaler's transports: what answers at an address, told by the first bytes that it sends unasked.

YMQ's of Scaler 2.7 to 2.9 is `YMQ` and 2, of older ones `YMQ` and 1; ZMQ's is ZMTP's signature, which begins with 255.
A wrong transport would connect again and again, thousands of times a second, and say nothing that helps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from engine.errors import EngineError

GREETING_S: Final = 2.0
"""A scheduler that hangs takes connections and greets nobody."""
GREETING_BYTES: Final = 4
_YMQ: Final = b"YMQ\x02"
_OLD_YMQ: Final = b"YMQ\x01"
_ZMTP: Final = b"\xff"


class Transport(StrEnum):
    """Transport of a scheduler; the values are those of `SCALER_NETWORK_BACKEND`."""

    YMQ = "ymq"
    ZMQ = "zmq"

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Transport:
        """Transport that the environment asks for; YMQ where it says nothing, or what Scaler doesn't know either."""
        return cls.ZMQ if environ.get("SCALER_NETWORK_BACKEND", "").lower() == cls.ZMQ else cls.YMQ


class WrongTransport(EngineError):
    """What answers at the scheduler's address doesn't speak our transport."""

    exit_code = 2


async def read_greeting(reader: asyncio.StreamReader) -> bytes:
    """The first bytes that the other end sends; none when it says nothing for `GREETING_S`."""
    try:
        return await asyncio.wait_for(reader.readexactly(GREETING_BYTES), GREETING_S)
    except asyncio.IncompleteReadError as error:
        return error.partial
    except (TimeoutError, OSError):
        return b""


def explain_mismatch(address: str, greeting: bytes, ours: Transport) -> str:
    """One sentence about a greeting that isn't of our transport; empty when it is, or when nothing was said."""
    if not greeting or greeting.startswith(_ZMTP if ours is Transport.ZMQ else _YMQ):
        return ""
    if greeting.startswith((_ZMTP, _YMQ)):
        theirs = Transport.ZMQ if ours is Transport.YMQ else Transport.YMQ
        return (
            f"what listens at {address} speaks {theirs.name}, and this engine {ours.name}: "
            f"set SCALER_NETWORK_BACKEND={theirs.value}"
        )
    if greeting.startswith(_OLD_YMQ):
        return f"the scheduler at {address} is of Scaler 2.6 or older: run Scaler 2.7 to 2.9 there"
    return f"what listens at {address} is no Scaler scheduler: check the address; it began with {greeting!r}"
