"""Private files beside the user's own: written whole or not at all, 0600, by one run at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.errors import ProvisionError


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
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ProvisionError(
            f"{path} can't be written ({error.strerror}): name another place with --config and --env-file."
        ) from error
