"""Body of an upload, read by botocore in parts: bytes that it is given at once it copies behind the headers."""

from __future__ import annotations

import io
from typing import Any, Final

from engine.aws import limits

READ_FROM: Final = 8 * limits.MIB
"""Smaller bodies go at once: to be asked whether they may come (`Expect`) would cost more than it saves."""


def upload_body(data: bytes | bytearray | memoryview) -> bytes | bytearray | io.RawIOBase:
    """The `Body` of a PutObject, of types that botocore takes."""
    if len(data) >= READ_FROM:
        return _Part(data)
    return bytes(data) if isinstance(data, memoryview) else data


class _Part(io.RawIOBase):
    """File of bytes that stay where they are."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        part = self._data[self._at : self._at + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
