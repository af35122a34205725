"""Uploads of code archives in pieces, as consoles send them: few at a time, whole only when all bytes are right."""

from __future__ import annotations

from typing import Final

from container.batch_job_wire.code_archive import MAX_CODE_BYTES, CodeError, checked_code
from container.batch_job_wire.protocol import is_code_digest
from engine.code.archive import CodeArchive

AT_ONCE: Final = 2
"""Begun and not whole; of more the oldest is dropped."""


class CodeUploads:
    """Archives in the making, by digest. Bounded: `AT_ONCE` of `MAX_CODE_BYTES`."""

    def __init__(self) -> None:
        self._begun: dict[str, bytearray] = {}

    def add(self, digest: str, size: int, offset: int, data: bytes) -> CodeArchive | None:
        """Take in one piece; the archive with its last one. Raises `CodeError` for what is not its next piece."""
        if not is_code_digest(digest) or not 0 < size <= MAX_CODE_BYTES:
            raise CodeError(f"code of {size} bytes can't be pushed: at most {MAX_CODE_BYTES}, named by its sha256")
        if offset == 0:
            self._begin(digest)
        begun = self._begun.get(digest)
        if begun is None or offset != len(begun) or len(begun) + len(data) > size:
            self._begun.pop(digest, None)
            raise CodeError(f"the code {digest[:12]} came in pieces out of order: push it again")
        begun += data
        return self._whole(digest) if len(begun) == size else None

    def _begin(self, digest: str) -> None:
        self._begun.pop(digest, None)
        while len(self._begun) >= AT_ONCE:
            del self._begun[next(iter(self._begun))]
        self._begun[digest] = bytearray()

    def _whole(self, digest: str) -> CodeArchive:
        data = bytes(self._begun.pop(digest))
        return CodeArchive(data, digest, len(checked_code(data, digest).infolist()))
