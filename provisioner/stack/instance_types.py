"""Processor and GPUs of EC2's instance types and families, read from their names.

The grammar of the names: https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

AMD64: Final = "amd64"
ARM64: Final = "arm64"

LARGEST_VCPUS: Final = 896
"""Of u7in-32tb.224xlarge, the largest there is: https://docs.aws.amazon.com/ec2/latest/instancetypes/mo.html"""
LARGEST_OF_BATCH: Final = 192
"""Of what `optimal` and the default words may choose, up to 48xlarge:
https://docs.aws.amazon.com/batch/latest/userguide/instance-type-compute-table.html"""
MOST_MIB_A_VCPU: Final = 64 * 1024
_SMALL_SIZES: Final = {"nano": (2, 1024), "micro": (2, 1024), "small": (2, 2048), "medium": (2, 16384)}
_SIZE: Final = re.compile(r"(?P<count>\d*)xlarge")
_NO_DRIVER: Final = "its GPUs have no driver in ECS_AL2023_NVIDIA"
_NEURON: Final = "its accelerators need another system image"
_REFUSED_FAMILIES: Final = {
    **dict.fromkeys(("p2", "p3", "p3dn", "g3", "g3s", "g5g"), _NO_DRIVER),
    "a1": "Amazon Linux 2023 doesn't run on it",
}
_REFUSED_SERIES: Final = {"inf": _NEURON, "trn": _NEURON, "mac": "it runs macOS"}
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


def unsupported(types: Sequence[str]) -> str:
    """First of the types that no job of ours can run on, with the reason; empty when there is none.

    The system images are Amazon Linux 2023's:
    https://docs.aws.amazon.com/batch/latest/APIReference/API_Ec2Configuration.html
    """
    for name in types:
        parts = _FAMILY.match(_family(name))
        series = parts["series"] if parts is not None else ""
        reason = _REFUSED_FAMILIES.get(_family(name)) or _REFUSED_SERIES.get(series)
        if reason:
            return f"{name} ({reason})"
    return ""


def most_vcpus(types: Sequence[str]) -> int:
    """vCPUs that the largest of the types has at most."""
    return max((_most(name)[0] for name in types), default=0)


def most_memory_mib(types: Sequence[str]) -> int:
    """MiB that the largest of the types has at most."""
    return max((_most(name)[1] for name in types), default=0)


def _most(name: str) -> tuple[int, int]:
    """Bounds by the size in the name, 16 GiB up to medium and 64 GiB a vCPU above: more has none of EC2's types."""
    size = name.partition(".")[2]
    if size in _SMALL_SIZES:
        return _SMALL_SIZES[size]
    if name in _BATCH_WORDS:
        vcpus = LARGEST_OF_BATCH
    else:
        found = _SIZE.fullmatch(size)
        vcpus = 4 * int(found["count"] or 1) if found is not None else 2 if size == "large" else LARGEST_VCPUS
    return vcpus, vcpus * MOST_MIB_A_VCPU


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
