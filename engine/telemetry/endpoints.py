"""Endpoints of running engines: their addresses, and the private folder that announces them on this machine.

Owns the runtime folder (0700, ours alone), one sub-folder an engine (or a local AWS) in it, and how an engine is found
by name, folder or address. An engine lives as long as it holds the lock in its folder, so a killed one is never taken
for a living one, whoever got its process id since.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from engine.errors import ConfigError, EngineError
from engine.telemetry.schema.messages import VERSION

PROGRAM: Final = "scaler-batch"
LOCK, INFO_FILE = "lock", "engine.json"
LONGEST_NAME: Final = 40
LONGEST_SOCKET_PATH: Final = 103
"""Bytes; Linux allows 107, macOS 103."""
SHORT_TEMPORARY: Final = Path("/tmp")
"""Where there is room for a socket's path when TMPDIR is too long."""
USERS_RUNTIME_FOLDERS: Final = Path("/run/user")
"""systemd's, by user id; what XDG_RUNTIME_DIR mostly says."""
_LOCK_TRIES, _LOCK_RETRY_S = 5, 0.02
_ROOM_FOR_ENGINE: Final = 1 + LONGEST_NAME + 1 + 7 + 1 + len("publish")  # /name-pid/publish


class EngineInfo(msgspec.Struct, frozen=True):
    """Description of an engine, in its folder."""

    pid: int
    started_at: float
    managers: tuple[str, ...]
    version: str
    schema: int = VERSION
    address: str | None = None
    """`tcp://host:port` when it listens there; None: sockets in its folder."""


class Endpoint(msgspec.Struct, frozen=True):
    """Addresses of one engine, as ZMQ takes them."""

    publish: str
    view: str
    control: str
    name: str
    """For people: the engine's name, or host and port."""

    @classmethod
    def ipc(cls, folder: Path) -> Endpoint:
        """Sockets in an engine's folder."""
        publish, view, control = (f"ipc://{folder / name}" for name in ("publish", "view", "control"))
        return cls(publish, view, control, folder.name)

    @classmethod
    def tcp(cls, address: str) -> Endpoint:
        """Sockets at `tcp://host:port`: publish at `port`, view and control at the next two. Raises `ConfigError`."""
        host, port = _host_and_port(address)
        publish, view, control = (f"tcp://{host}:{port + step}" for step in range(3))
        return cls(publish, view, control, f"{host}:{port}")

    @property
    def is_remote(self) -> bool:
        """It can be reached from other machines, so its sockets need keys."""
        return self.publish.startswith("tcp://")


class RunningEngine(msgspec.Struct, frozen=True):
    """Living engine of this machine and this user."""

    name: str
    folder: Path
    info: EngineInfo

    @property
    def endpoint(self) -> Endpoint:
        """The address that it listens at, or the sockets in its folder."""
        return Endpoint.tcp(self.info.address) if self.info.address else Endpoint.ipc(self.folder)


class ClaimedFolder:
    """An engine's own folder while it lives: 0700, with its lock held."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    def write_info(self, managers: tuple[str, ...], version: str, address: str | None = None) -> None:
        """Announce the engine; from now on `list_engines` lists it. Call it when the sockets are bound."""
        info = EngineInfo(os.getpid(), time.time(), managers, version, VERSION, address)
        fresh = self.folder / f"{INFO_FILE}.new"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(info))
        fresh.rename(self.folder / INFO_FILE)

    def release(self) -> None:
        """Remove the folder, and that of all engines with the last one, and release the name."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()


def runtime_folder() -> Path:
    """Find the folder of all engines of this user, made if need be. Raises `EngineError` when it can't be private."""
    usual, fallback = _users_own_runtime_folder(), _temporary_folder()
    if usual is not None and _has_room_for_sockets(usual):
        with contextlib.suppress(OSError, EngineError):
            return _private(usual)
    try:
        return _private(fallback)
    except OSError as error:
        raise EngineError(f"{fallback} can't be made ({error.strerror}): set XDG_RUNTIME_DIR or TMPDIR") from error


def _temporary_folder() -> Path:
    name = f"{PROGRAM}-{os.geteuid()}"
    folder = Path(tempfile.gettempdir()) / name
    return folder if _has_room_for_sockets(folder) else SHORT_TEMPORARY / name


def _has_room_for_sockets(folder: Path) -> bool:
    return len(os.fsencode(folder)) + _ROOM_FOR_ENGINE <= LONGEST_SOCKET_PATH


def _users_own_runtime_folder() -> Path | None:
    """Read XDG_RUNTIME_DIR (https://specifications.freedesktop.org/basedir-spec/latest/), or take systemd's folder.

    Not by platformdirs: what that falls back to differs from release to release, and engine and viewer have to agree.
    """
    given, systemds = Path(os.environ.get("XDG_RUNTIME_DIR", "")), USERS_RUNTIME_FOLDERS / str(os.geteuid())
    if given.is_absolute():
        return given / PROGRAM
    return systemds / PROGRAM if systemds.is_dir() else None


def _private(folder: Path) -> Path:
    """Make `folder` ours alone, or refuse it."""
    with contextlib.suppress(FileExistsError):
        folder.parent.mkdir(mode=0o700)
    _refuse_replaceable(folder)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise EngineError(
            f"{folder} must be a directory of yours that nobody else may enter (mode 0700), because whoever enters it "
            "controls your engines: remove it or set XDG_RUNTIME_DIR"
        )
    return folder


def _refuse_replaceable(folder: Path) -> None:
    """Refuse a parent in which others may put a folder of theirs in the place of `folder`; /tmp has the sticky bit."""
    link, parent = folder.parent.lstat(), folder.parent.stat()
    trusted = {link.st_uid, parent.st_uid} <= {0, os.geteuid()}
    if not trusted or (parent.st_mode & 0o022 and not parent.st_mode & stat.S_ISVTX):
        raise EngineError(
            f"{folder.parent} must be a directory of yours or root's that nobody else may write to, because whoever "
            f"may replace {folder} controls your engines: set XDG_RUNTIME_DIR or TMPDIR to another"
        )


# ---- the engine's side


@contextlib.contextmanager
def claim_folder(name: str) -> Iterator[ClaimedFolder]:
    """Claim the folder for an engine called `name`, free of a dead predecessor's files; gone when the engine ends.

    When another living engine has that name, this one is called `name-pid`. Raises `EngineError`.
    """
    root = runtime_folder()
    short = _shorten(name)
    claimed = _try_claim(root / short) or _try_claim(root / f"{short}-{os.getpid()}")
    if claimed is None:
        raise EngineError(f"{root / short} is locked by another process: end it or give another --worker-manager-id")
    _remove_dead(root, claimed.folder)
    try:
        yield claimed
    finally:
        claimed.release()


def _shorten(name: str) -> str:
    """Shorten a name to what a socket's path has room for; different names stay different."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _try_claim(folder: Path) -> ClaimedFolder | None:
    """Claim a folder; None when a living process has it."""
    while True:
        try:
            lock = os.open(_private(folder) / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # its last owner just left
            continue
        if not _lock_soon(lock):
            os.close(lock)
            return None
        if _is_file_at(lock, folder / LOCK):
            break
        os.close(lock)
    for left in folder.iterdir():
        if left.name != LOCK:
            left.unlink(missing_ok=True)
    return ClaimedFolder(folder, lock)


def _lock_soon(descriptor: int) -> bool:
    """Lock exclusively, within the instant for which `is_claimed` of another process may hold the lock."""
    for _ in range(_LOCK_TRIES):
        if _try_lock(descriptor, fcntl.LOCK_EX):
            return True
        time.sleep(_LOCK_RETRY_S)
    return False


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_file_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove_dead(root: Path, keep: Path) -> None:
    for folder in root.iterdir():
        if folder == keep or not (folder / LOCK).exists():
            continue
        with open(folder / LOCK, "rb") as lock:
            if _try_lock(lock.fileno(), fcntl.LOCK_EX):
                shutil.rmtree(folder, ignore_errors=True)


# ---- the viewer's side


def is_claimed(folder: Path) -> bool:
    """True while the process of this folder lives: it holds the lock."""
    try:
        lock = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not _try_lock(lock, fcntl.LOCK_SH)
    finally:
        os.close(lock)


def list_engines() -> list[RunningEngine]:
    """List the living engines of this user on this machine, by name."""
    try:
        folders = sorted(runtime_folder().iterdir())
    except FileNotFoundError:  # it went with the last engine, just now
        return []
    found = map(_read_engine, folders)
    return [engine for engine in found if engine is not None]


def _read_engine(folder: Path) -> RunningEngine | None:
    try:
        info = msgspec.json.decode((folder / INFO_FILE).read_bytes(), type=EngineInfo)
    except (OSError, msgspec.MsgspecError):
        return None
    return RunningEngine(folder.name, folder, info) if is_claimed(folder) else None


def find_endpoint(wanted: str | None) -> Endpoint:
    """Find the engine called `wanted` (a name, a manager's id, a folder or `tcp://host:port`), or the only one here.

    Raises `EngineError` when there is none, `ConfigError` when it isn't clear which.
    """
    if wanted is not None and "://" in wanted:
        return Endpoint.tcp(wanted)
    if wanted is not None and "/" in wanted:
        return _endpoint_in(Path(wanted))
    here = list_engines()
    matching = here if wanted is None else [e for e in here if wanted == e.name or wanted in e.info.managers]
    if len(matching) == 1:
        return matching[0].endpoint
    if matching:
        raise ConfigError(f"{len(matching)} engines run here: name the one you mean, {_names(matching)}")
    if wanted is not None and here:
        raise EngineError(f"no engine called {wanted} runs here; there is {_names(here)}")
    what = "no engine" if wanted is None else f"no engine called {wanted}"
    raise EngineError(
        f"{what} runs here for this user: start one with scaler-batch run, or name one by tcp://host:port"
    )


def _endpoint_in(folder: Path) -> Endpoint:
    engine = _read_engine(folder)
    if engine is None:
        raise EngineError(f"no engine lives in {folder}: scaler-batch status without an argument lists those that do")
    return engine.endpoint


def _names(engines: list[RunningEngine]) -> str:
    return ", ".join(engine.name for engine in engines)


def _host_and_port(address: str) -> tuple[str, int]:
    scheme, _, rest = address.partition("://")
    host, _, port = rest.rpartition(":")
    if scheme != "tcp" or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= 65533:
        raise ConfigError(f"{address} is no address of an engine: expected tcp://host:port with a port up to 65533")
    return host, int(port)
