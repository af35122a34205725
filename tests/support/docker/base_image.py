"""A base image made of this machine's own Python, where `python:X.Y-slim` can't be pulled.

Written as the tar file that `docker import` takes: the interpreter with its standard library and pip, the shared
libraries that they load, a shell, a few tools and the certificates that pip trusts. Linux with glibc only.
"""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
TAG: Final = f"python:{PYTHON}-slim"
"""The name under which container/Dockerfile looks for it."""

CHANGES: Final = ("ENV PATH=/usr/local/bin:/usr/bin", "ENV LD_LIBRARY_PATH=/usr/local/lib", 'CMD ["python3"]')
"""What `docker import --change` adds: a tar file has no configuration."""

PREFIX: Final = Path(sys.base_prefix)
STANDARD_LIBRARY: Final = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
UNUSED: Final = frozenset({"test", "idlelib", "tkinter", "lib2to3", "turtledemo", "site-packages", "__pycache__"})
PROGRAMS: Final = ("bin", "sbin", "methods")
"""Names of the folders of programs."""

TOOLS: Final = ("sh", "cat", "env", "id", "ls")
LOADED_BY_NAME: Final = ("libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2")
"""What glibc loads to look up hosts, and no program is linked against."""

CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"
PIP_PROGRAM: Final = "#!/usr/local/bin/python3\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
SETTINGS: Final = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "/etc/nsswitch.conf": "passwd: files\nhosts: files dns\n",
    "/etc/pip.conf": f"[global]\ncert = {CERTIFICATES}\nbreak-system-packages = true\n",
}
LINKS: Final = {
    "/bin": "usr/bin",
    "/lib": "usr/lib",
    "/lib64": "usr/lib64",
    "/usr/local/bin/python": f"python{PYTHON}",
    "/usr/local/bin/python3": f"python{PYTHON}",
}


def write_base_image(path: Path) -> None:
    """Raises `OSError` when the file can't be written, or when this machine lacks something that belongs in it."""
    with tarfile.open(path, "w") as archive:
        add_entry(archive, "/tmp", mode=0o1777, kind=tarfile.DIRTYPE)
        for link, target in LINKS.items():
            add_entry(archive, link, kind=tarfile.SYMTYPE, target=target)
        for place, text in SETTINGS.items():
            add_entry(archive, place, content=text.encode())
        add_entry(archive, "/usr/local/bin/pip", mode=0o755, content=PIP_PROGRAM.encode())
        for place, source in sorted(_files().items()):
            add_entry(archive, place, mode=source.stat().st_mode & 0o755, content=source.read_bytes())


def add_entry(
    archive: tarfile.TarFile,
    place: str,
    *,
    mode: int = 0o644,
    content: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    target: str = "",
) -> None:
    """One entry that belongs to root. Folders come by themselves."""
    entry = tarfile.TarInfo(place.lstrip("/"))
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(content), target
    archive.addfile(entry, io.BytesIO(content))


def _files() -> dict[str, Path]:
    """Where each file goes in the image, and where it is here."""
    files = {f"/usr/bin/{tool}": Path("/usr/bin", tool) for tool in TOOLS}
    files[f"/usr/local/bin/python{PYTHON}"] = PREFIX / "bin" / f"python{PYTHON}"
    files |= {f"/usr/local/{source.relative_to(PREFIX)}": source for source in _python_files()}
    libraries = libraries_of(files.values()) - {str(source) for source in files.values()}
    files |= {under_usr(name): Path(name) for name in libraries}
    return {**files, CERTIFICATES: Path(CERTIFICATES)}


def _python_files() -> Iterator[Path]:
    for entry in STANDARD_LIBRARY.iterdir():
        if entry.name not in UNUSED and not entry.name.startswith("config-"):
            yield from _files_of(entry)
    for package in (STANDARD_LIBRARY / "site-packages").glob("pip*"):
        yield from _files_of(package)
    yield from (PREFIX / "lib").glob("libpython*.so*")


def _files_of(entry: Path) -> Iterator[Path]:
    inside = entry.rglob("*") if entry.is_dir() else [entry]
    return (path for path in inside if path.is_file() and not {"tests", "__pycache__"} & set(path.parts))


def libraries_of(files: Iterable[Path]) -> set[str]:
    """Shared libraries that the programs and modules among `files` are linked against, and those loaded by name."""
    linked = [str(path) for path in files if ".so" in path.name or path.parent.name in PROGRAMS]
    listing = subprocess.run(["ldd", *linked], capture_output=True, text=True, check=True).stdout
    found = {word for line in listing.splitlines() if line.startswith("\t") for word in line.split()}
    named = {str(path) for name in LOADED_BY_NAME for path in Path("/lib").glob(f"*-linux-gnu/{name}")}
    return {word for word in found if word.startswith("/")} | named


def under_usr(name: str) -> str:
    return name if name.startswith("/usr/") else f"/usr{name}"
