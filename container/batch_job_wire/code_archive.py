"""The archive of code of the user's own, which a job has besides its image, as the runner takes it."""

from __future__ import annotations

import hashlib
import io
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

MAX_CODE_BYTES: Final = 32 * 1024 * 1024
MAX_CODE_FILES: Final = 20_000
_STORED: Final = 0  # zipfile.ZIP_STORED


class CodeError(ValueError):
    """An archive of code that isn't what was sent. The text is one sentence for a person."""


def checked_code(data: bytes, digest: str) -> ZipFile:
    """The archive of these bytes: small files in folders `0`, `1`, …, stored as they are. Raises `CodeError`.

    Nothing in it is compressed, so that nothing unpacks to more than it has; no name leads out of where it is
    unpacked, and there are no links.
    """
    import zipfile  # few jobs need it

    if len(data) > MAX_CODE_BYTES or hashlib.sha256(data).hexdigest() != digest:
        raise CodeError(f"the code {digest[:12]} was altered ({len(data)} bytes)")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise CodeError(f"the code {digest[:12]} is no archive: {error}") from None
    _check_members(archive.infolist(), digest)
    return archive


def _check_members(members: list[ZipInfo], digest: str) -> None:
    names = {one.filename for one in members}
    total = sum(one.file_size for one in members)
    if len(names) < len(members) or len(members) > MAX_CODE_FILES or total > MAX_CODE_BYTES:
        raise CodeError(f"the code {digest[:12]} has {len(members)} files of {total} bytes, or some of them twice")
    wrong = next((one.filename for one in members if not _is_safe(one)), None)
    if wrong is not None:
        raise CodeError(f"the code {digest[:12]} holds {wrong[:200]!r}, which is no plain file inside of it")


def _is_safe(member: ZipInfo) -> bool:
    parts = member.filename.split("/")
    is_inside = parts[0].isdecimal() and len(parts) > 1 and not any(part in ("", ".", "..") for part in parts)
    is_plain = stat.S_ISREG(member.external_attr >> 16) and not set("\\\0:") & set(member.filename)
    is_stored = member.compress_type == _STORED and member.file_size == member.compress_size
    return is_inside and is_plain and is_stored and not member.flag_bits & 1
