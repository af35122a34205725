"""Base image of a build: which one it is now, by its digest, as the builder has it or fetches it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from provisioner.errors import ProvisionError
from provisioner.image.builder import ImageBuilder
from provisioner.image.programs import ProgramFailed, run_captured, stream
from provisioner.image.request import ImageRequest

TAG_DIGITS: Final = 8
_ALGORITHM: Final = "sha256:"
_DIGEST: Final = re.compile(r"(sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BaseImage:
    """Base image that is there."""

    reference: str
    """What is built on: with the digest, unless no registry has given it one."""
    digest: str
    """Of its manifest; of its configuration for an image that was made on this machine."""

    @property
    def suffix(self) -> str:
        """End of the tags of images that are built on it."""
        return self.digest.removeprefix(_ALGORITHM)[:TAG_DIGITS]


def find_base(
    builder: ImageBuilder, request: ImageRequest, environment: Mapping[str, str], say: Callable[[str], None]
) -> BaseImage:
    """Base image of a request, pulled when the builder hasn't it, or with `pull` anew. Raises `ProvisionError`."""
    name, _, digest = request.base.partition("@")
    if digest:
        return BaseImage(request.base, digest)
    if request.pull or (found := _inspected(builder, name, environment)) is None:
        stream(f"{builder.name} pull", builder.pull(name, request.platform), say, environment)
        found = _inspected(builder, name, environment)
    if found is None:
        raise ProvisionError(f"{builder.name} has pulled {name}, but doesn't tell its digest: give --base-image by it.")
    return found


def _inspected(builder: ImageBuilder, name: str, environment: Mapping[str, str]) -> BaseImage | None:
    """None when the builder doesn't have it."""
    try:
        lines = run_captured(f"{builder.name} inspect", builder.digests(name), environment).splitlines()
    except ProgramFailed:
        return None
    words = [word for line in lines for word in line.split()]
    listed = next((json.loads(word) for word in words if word.startswith("[")), None) or []
    digests = [one.rpartition("@")[2] for one in listed]
    if digests:
        return BaseImage(f"{_without_tag(name)}@{digests[0]}", digests[0])
    own = next((word for word in words if _DIGEST.fullmatch(word)), None)
    return BaseImage(name, own) if own else None


def _without_tag(name: str) -> str:
    """A colon behind the last slash is a tag's; one before it is a port's."""
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"
