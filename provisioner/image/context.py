"""Build context: a folder with all that goes into the image, and the tag that its content has."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import container
from provisioner.image.request import ImageRequest
from provisioner.image.requirements import USERS_REQUIREMENTS, joined_requirements, read_text
from provisioner.image.wheels import build_wheels, fingerprint

REQUIREMENTS: Final = "requirements.txt"
RUNNER: Final = ("batch_job_*.py", "batch_job_pack/*.py", "batch_job_template/*.py", "batch_job_wire/*.py")
RECIPE: Final = ("Dockerfile", REQUIREMENTS, *RUNNER)
WHEELS: Final = "wheels.txt"
DEBIAN_PACKAGES: Final = "apt.txt"
CONDA_ENVIRONMENT: Final = "environment.yml"
READABLE: Final = 0o644
"""Mode of the files, whatever the umask is here: jobs run as nobody, who must be able to read the runner."""

SEARCHABLE: Final = 0o755
"""Mode of the folders among them."""

TAG_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Context:
    """Build context, prepared."""

    folder: Path
    content: str
    """Beginning of the image's tag, made of the content alone: equal code and options have equal ones, wherever and
    whenever. What it is built on follows it."""


@contextmanager
def prepared(request: ImageRequest, say: Callable[[str], None]) -> Iterator[Context]:
    """Context in a temporary folder, removed at the end. Raises what `build_wheels` raises."""
    with tempfile.TemporaryDirectory(prefix="scaler-batch-image-") as place:
        workshop, folder = Path(place, "wheels"), Path(place, "context")
        workshop.mkdir()
        folder.mkdir()
        wheels = [wheel.rename(folder / wheel.name) for wheel in build_wheels(request, workshop, say)]
        texts = _texts(request, wheels)
        for name, content in texts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        for path in folder.rglob("*"):
            path.chmod(SEARCHABLE if path.is_dir() else READABLE)
        yield Context(folder, _content(request, texts, wheels))


def _texts(request: ImageRequest, wheels: list[Path]) -> dict[str, bytes]:
    """Everything but the wheels, by its name in the context."""
    source = Path(container.__path__[0])
    found = (path for pattern in RECIPE for path in source.glob(pattern))
    texts = {path.relative_to(source).as_posix(): path.read_bytes() for path in found}
    if request.requirements is not None:
        texts[USERS_REQUIREMENTS] = request.requirements.read_bytes()
        users = read_text("--requirements", request.requirements)
        texts[REQUIREMENTS] = joined_requirements(texts[REQUIREMENTS].decode(), users).encode()
    if request.conda is not None:
        texts[CONDA_ENVIRONMENT] = request.conda.read_bytes()
    if request.apt:
        texts[DEBIAN_PACKAGES] = "".join(f"{name}\n" for name in sorted(set(request.apt))).encode()
    if wheels:
        texts[WHEELS] = "".join(f"./{wheel.name}\n" for wheel in wheels).encode()
    return texts


def _content(request: ImageRequest, texts: Mapping[str, bytes], wheels: list[Path]) -> str:
    """Python and architecture for people to read, then a hash of everything."""
    parts = {name: hashlib.sha256(content).hexdigest() for name, content in texts.items()}
    parts |= {wheel.name: fingerprint(wheel) for wheel in wheels}
    options = f"base {request.base}\nplatform {request.platform}\npython {request.python}\n"
    listing = options + "".join(f"{name} {digest}\n" for name, digest in sorted(parts.items()))
    architecture = request.platform.rpartition("/")[2]
    return f"py{request.python}-{architecture}-{hashlib.sha256(listing.encode()).hexdigest()[:TAG_DIGITS]}"
