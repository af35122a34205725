"""What a task's process says that took long to load its function: how long, and the random generators it then had."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from batch_job_control import join_parts, split_parts

MOST: Final = 1_000
"""Generators that are compared."""
_SECONDS: Final = struct.Struct("<d")


class LoadReport(NamedTuple):
    """Seconds, and the generators' `fingerprints`."""

    seconds: float
    generators: tuple[str, ...]

    def encode(self) -> bytes:
        """The report as the data of a message."""
        return join_parts([_SECONDS.pack(self.seconds), *map(str.encode, self.generators)])

    @classmethod
    def decode(cls, data: bytes | bytearray) -> LoadReport | None:
        """The report out of the data of a message; None: there is none in it."""
        try:
            seconds, *generators = split_parts(data)
            return cls(*_SECONDS.unpack(seconds), tuple(map(bytes.decode, generators[:MOST])))
        except (ValueError, struct.error):
            return None
