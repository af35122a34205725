"""Processor and GPUs of EC2's instance types and families, read from their names.

The grammar of the names: https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

AMD64: Final = "amd64"
ARM64: Final = "arm64"

_FAMILY: Final = re.compile(r"(?P<series>[a-z]+)(?P<generation>\d+)(?P<options>[a-z]*)")
_GPU_SERIES: Final = frozenset({"g", "gr", "p"})
_OLD_GRAVITON: Final = "a1"
_BATCH_WORDS: Final = {"optimal": AMD64, "default_x86_64": AMD64, "default_arm64": ARM64}


def architecture(types: Sequence[str]) -> str | None:
    """Architecture of instance types as images name it, amd64 or arm64; None when both are among them."""
    found = {_architecture(name) for name in types}
    return found.pop() if len(found) == 1 else None


def has_gpus(types: Sequence[str]) -> bool:
    """True when every one of the types has GPUs of NVIDIA's."""
    return bool(types) and all(_has_gpu(name) for name in types)


def _architecture(name: str) -> str:
    family = _family(name)
    if name in _BATCH_WORDS:
        return _BATCH_WORDS[name]
    parts = _FAMILY.match(family)
    graviton = family == _OLD_GRAVITON or (parts is not None and parts["options"].startswith("g"))
    return ARM64 if graviton else AMD64


def _has_gpu(name: str) -> bool:
    parts = _FAMILY.match(_family(name))
    return parts is not None and parts["series"] in _GPU_SERIES and not _is_amd_gpu(parts[0])


def _is_amd_gpu(family: str) -> bool:
    return family.startswith("g4ad")


def _family(name: str) -> str:
    return name.partition(".")[0]
