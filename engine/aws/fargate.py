"""Sizes of jobs on Fargate: only some amounts of memory go with some numbers of vCPUs.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple


class FargateSize(NamedTuple):
    """vCPUs, quarters among them, and memory of a job on Fargate."""

    vcpus: float
    memory_mib: int


SIZES: Final[Mapping[float, tuple[int, ...]]] = {
    0.25: (512, 1024, 2048),
    0.5: tuple(range(1024, 4097, 1024)),
    1: tuple(range(2048, 8193, 1024)),
    2: tuple(range(4096, 16385, 1024)),
    4: tuple(range(8192, 30721, 1024)),
    8: tuple(range(16384, 61441, 4096)),
    16: tuple(range(32768, 122881, 8192)),
}
"""MiB of memory that go with a number of vCPUs."""


def fitting_size(vcpus: float, memory_mib: int) -> FargateSize | None:
    """Smallest size with at least so many vCPUs and so much memory; None when there is none."""
    fitting = [
        FargateSize(count, amount)
        for count, amounts in SIZES.items()
        for amount in amounts
        if count >= vcpus and amount >= memory_mib
    ]
    return min(fitting, default=None)
