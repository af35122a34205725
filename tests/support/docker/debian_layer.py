"""A layer for the base image with this machine's own apt and dpkg, set up as they are here. Debian and its like only.

dpkg knows of all that is installed here, so that it asks for nothing which the base image lacks.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.support.docker.base_image import add_entry, libraries_of, under_usr

PROGRAMS: Final = (
    "/usr/bin/apt-get",
    "/usr/bin/apt-config",
    "/usr/bin/dpkg",
    "/usr/bin/dpkg-deb",
    "/usr/bin/dpkg-split",
    "/usr/sbin/ldconfig",
    "/usr/sbin/start-stop-daemon",
    *(f"/usr/lib/apt/methods/{name}" for name in ("copy", "file", "http", "https", "store")),
)
VERIFIERS: Final = ("/usr/bin/gpgv", "/usr/lib/apt/methods/gpgv", "/usr/bin/sqv", "/usr/lib/apt/methods/sqv")
"""Of signatures: the newer releases of apt have another one."""

TOOLS: Final = tuple(
    f"/usr/bin/{name}"
    for name in (
        "chmod", "cmp", "cut", "diff", "false", "find", "grep", "head", "mkdir", "mktemp", "mv", "readlink", "rm",
        "sed", "sort", "tar", "touch", "tr", "true", "wc", "xargs",
    )
)  # fmt: skip
"""What apt, dpkg and the scripts of packages call."""

SCRIPT: Final = Path("/usr/bin/apt-key")
"""Of the older releases."""

SETTINGS: Final = ("/etc/apt/sources.list.d", "/etc/apt/trusted.gpg.d", "/usr/share/keyrings", "/usr/share/dpkg")
STATUS: Final = "/var/lib/dpkg/status"
FOLDERS: Final = (
    "/var/cache/apt/archives/partial",
    "/var/lib/apt/lists/partial",
    "/var/lib/dpkg/info",
    "/var/lib/dpkg/updates",
    "/var/log/apt",
)
APT_SETTINGS: Final = "/etc/apt/apt.conf"


def write_debian_layer(path: Path) -> None:
    """Raises `OSError` and `subprocess.CalledProcessError` when this machine lacks something that belongs in it."""
    programs = [*map(Path, (*PROGRAMS, *TOOLS)), *_existing(map(Path, VERIFIERS))]
    files = {str(one): one for one in (*programs, *_existing([SCRIPT]), *_settings(), Path(STATUS))}
    files |= {under_usr(name): Path(name) for name in libraries_of(programs)}
    with tarfile.open(path, "w") as archive:
        for place in FOLDERS:
            add_entry(archive, place, mode=0o755, kind=tarfile.DIRTYPE)
        add_entry(archive, APT_SETTINGS, content=_how_apt_gets().encode())
        for place, source in sorted(files.items()):
            add_entry(archive, place, mode=source.stat().st_mode & 0o755, content=source.read_bytes())


def _existing(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.exists()]


def _settings() -> Iterator[Path]:
    """Sources, and whose signatures they want; nothing of what holds passwords."""
    yield from _existing([Path("/etc/apt/sources.list")])
    for folder in SETTINGS:
        yield from (path for path in Path(folder).rglob("*") if path.is_file())


def _how_apt_gets() -> str:
    """Proxies and certificates; hooks are of other programs of this machine."""
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return "".join(f"{line}\n" for line in dumped.splitlines() if line.startswith("Acquire::http"))
