"""Private files beside the user's own: written whole or not at all, 0600, by one run at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from provisioner.errors import ProvisionError

PID_BYTES: Final = 20


def write(path: Path, text: str) -> None:
    """Write a file atomically; where the path is a link, what it points to. Raises `ProvisionError`."""
    with _explained(path):
        target = path.resolve()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)  # its mode is 0600
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
            os.replace(name, target)
        except OSError:
            os.unlink(name)
            raise


def remove(path: Path) -> None:
    """Delete a file that may be missing. Raises `ProvisionError`."""
    with _explained(path):
        path.unlink(missing_ok=True)


def require_writable(path: Path) -> None:
    """Check that a file can be written, before something is done that has to be saved in it.

    Raises `ProvisionError`.
    """
    with _explained(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Lock of the file's folder: other runs that write into it wait meanwhile. Raises `ProvisionError`."""
    with _explained(path):
        folder = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@contextmanager
def one_run(path: Path, what: str) -> Iterator[None]:
    """Lock file of a run that changes something, which has its process id while it is at work.

    Raises `ProvisionError` when another run holds it: `what` is what that works on. The lock goes with its process.
    """
    handle = _locked(path, what)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _locked(path: Path, what: str) -> int:
    while True:
        with _explained(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, PID_BYTES, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise ProvisionError(
                f"Another run (process {holder}) is at work on {what}: wait until it has ended."
            ) from None
        if _is_there(path, handle):
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            return handle
        os.close(handle)  # another run has just ended, and taken its file along


def _is_there(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProvisionError(
            f"{path} can't be written ({error.strerror}): name another place with --config and --env-file."
        ) from error
