"""Archive of the user's code: a zip of the same bytes wherever the same files are packed.

What git ignores, caches, hidden files, virtual environments and secrets stay where they are. Nothing is compressed:
what compresses is of another version on every machine, and the same code must have the same name.
"""

from __future__ import annotations

import fnmatch
import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from container.batch_job_wire.code_archive import MAX_CODE_BYTES, MAX_CODE_FILES
from engine.code.ignored import IgnorePattern, is_ignored, patterns_above, read_patterns
from engine.errors import ConfigError

SHORT_DIGITS: Final = 12
"""Of a digest, where people read it."""
_MIB: Final = 1024 * 1024
_WHEN: Final = (1980, 1, 1, 0, 0, 0)
_MODE: Final = (stat.S_IFREG | 0o444) << 16
_UNIX: Final = 3
_ENTRY_BYTES: Final = 128
"""Of an archive for a file, beside its bytes and twice its name."""
_CACHES: Final = ("__pycache__", "*.pyc", "*.pyo", "*.egg-info", "node_modules")
_SECRETS: Final = (
    *("*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.tfvars", "*.tfstate"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "service-account*.json", "service_account*.json"),
    *("credentials*", "secrets*", "client_secret*.json"),
)
_SOURCE: Final = ".py"
_ENVIRONMENTS: Final = ("pyvenv.cfg", "conda-meta")
"""What a folder holds that is a Python of its own."""
_NATIVE: Final = re.compile(r"(?P<module>[^.]+)(\.[^/]*)?\.(so|pyd|dylib)", re.IGNORECASE)
_IMAGE: Final = "build it into the image: scaler-batch build-image --package"
_NOT_PLAIN: Final = frozenset("\\:\0")


@dataclass(frozen=True, slots=True)
class CodeArchive:
    """Packed code; `digest` is the sha256 of `data` in hex."""

    data: bytes = field(repr=False)
    digest: str
    files: int
    notes: tuple[str, ...] = ()
    """Sentences about what was left out and may be missed."""

    @classmethod
    def of(cls, data: bytes, files: int, notes: tuple[str, ...] = ()) -> CodeArchive:
        """The archive of these bytes."""
        return cls(data, hashlib.sha256(data).hexdigest(), files, notes)

    @property
    def short(self) -> str:
        """The beginning of its digest, by which people tell it from others."""
        return self.digest[:SHORT_DIGITS]


@dataclass(slots=True)
class _Findings:
    """Files to pack, by their names in the archive, and what was seen beside them."""

    files: dict[str, Path] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    native: list[str] = field(default_factory=list)
    """Modules that git ignores, or nobody would ever be told of them."""


def pack_code(folders: Sequence[str]) -> CodeArchive:
    """Pack folders, each of which is put on the path of jobs, in this order; of a package it is the one above.

    Raises `ConfigError` with what is wrong: no such folder, a native extension, no module, too much of it.
    """
    found = _Findings()
    for number, folder in enumerate(folders):
        _find(Path(folder), str(number), found)
    _check_count(found.files, folders)
    _check_size(found.files, folders)
    try:
        return CodeArchive.of(_zip(found.files), len(found.files), tuple(_notes(found)))
    except OSError as error:
        raise ConfigError(f"the code file {error.filename} can't be read ({error.strerror}): correct that.") from error


def _find(folder: Path, number: str, found: _Findings) -> None:
    if not folder.is_dir():
        raise ConfigError(f"the code folder {folder} doesn't exist: give the folder of your modules, or a package's.")
    folder = folder.resolve()
    inside = f"{number}/{folder.name}" if (folder / "__init__.py").is_file() else number
    before = len(found.files)
    try:
        _walk(folder, inside, patterns_above(folder), found)
    except OSError as error:
        raise ConfigError(f"the code folder {folder} can't be read ({error.strerror}: {error.filename}).") from error
    if not any(name.endswith(_SOURCE) for name in list(found.files)[before:]):
        raise ConfigError(f"the code folder {folder} has no Python module that git doesn't ignore: give another.")


def _walk(folder: Path, inside: str, patterns: tuple[IgnorePattern, ...], found: _Findings) -> None:
    patterns += read_patterns(folder)
    for path in sorted(folder.iterdir(), key=lambda one: one.name):
        if not _is_left_out(path):
            _take(path, f"{inside}/{path.name}", patterns, found)


def _take(path: Path, name: str, patterns: tuple[IgnorePattern, ...], found: _Findings) -> None:
    is_link, is_folder = path.is_symlink(), path.is_dir()
    if is_ignored(path, is_folder and not is_link, patterns):
        found.native += [] if is_folder else filter(None, [_native_module(name)])
    elif is_link:
        found.links.append(name.partition("/")[2])
    elif is_folder:
        _walk(path, name, patterns, found)
    elif path.is_file():
        _check_file(path, name)
        found.files[name] = path


def _is_left_out(path: Path) -> bool:
    """Hidden files (.env, .git, .venv, .aws, …), caches, environments and secrets."""
    name = path.name.lower()
    if name.startswith(".") or any(fnmatch.fnmatchcase(name, pattern) for pattern in _CACHES):
        return True
    if any((path / one).exists() for one in _ENVIRONMENTS):
        return True
    is_module = name.endswith(_SOURCE) or (path / "__init__.py").is_file()  # the code that reads them, by their name
    return not is_module and any(fnmatch.fnmatchcase(name, pattern) for pattern in _SECRETS)


def _native_module(name: str) -> str | None:
    """Its name as it is imported, if the file is a native extension."""
    folder, _, file = name.partition("/")[2].rpartition("/")
    found = _NATIVE.fullmatch(file)
    return None if found is None else ".".join(filter(None, (folder.replace("/", "."), found["module"])))


def _check_file(path: Path, name: str) -> None:
    module = _native_module(name)
    if module is not None:
        raise ConfigError(
            f"the module {module} is a native extension ({path}): only pure Python can be sent along, so {_IMAGE}."
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ConfigError(f"the code file {str(path)!r} has a name that is no text: rename it.") from None
    if _NOT_PLAIN & set(name):
        raise ConfigError(f"the code file {path} has a colon or a backslash in its name: rename it, or git-ignore it.")


def _check_count(files: dict[str, Path], folders: Sequence[str]) -> None:
    if len(files) > MAX_CODE_FILES:
        raise ConfigError(
            f"the code in {', '.join(folders)} has {len(files):,} files, but at most {MAX_CODE_FILES:,} can be sent "
            f"along: git-ignore what jobs don't need, or {_IMAGE}."
        )


def _check_size(files: dict[str, Path], folders: Sequence[str]) -> None:
    sizes = {name: path.stat().st_size for name, path in files.items()}
    total = sum(sizes.values()) + sum(_ENTRY_BYTES + 2 * len(name.encode()) for name in files)
    if total > MAX_CODE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise ConfigError(
            f"the code in {', '.join(folders)} has {total / _MIB:,.0f} MiB, but at most {MAX_CODE_BYTES // _MIB} can "
            f"be sent along: git-ignore what jobs don't need (the largest is {files[largest]}, "
            f"{sizes[largest] / _MIB:,.1f} MiB), or {_IMAGE}."
        )


def _zip(files: dict[str, Path]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            member = zipfile.ZipInfo(name, _WHEN)
            member.create_system, member.external_attr = _UNIX, _MODE
            archive.writestr(member, files[name].read_bytes())
    return buffer.getvalue()


def _notes(found: _Findings) -> Iterator[str]:
    if found.links:
        yield f"left out of the code, symbolic links: {_some(found.links)}"
    if found.native:
        yield f"left out of the code, native extensions that git ignores: {_some(found.native)}; an image can have them"


def _some(names: Iterable[str], most: int = 5) -> str:
    given = list(names)
    return ", ".join(given[:most]) + (f" and {len(given) - most} more" if len(given) > most else "")
