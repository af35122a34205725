"""Price of a vCPU and of a GiB out of the prices of instances. Pure.

An instance's price is split among its vCPUs and its memory as AWS splits it in its own cost allocation, 9 to 1 by vCPU
and GiB: https://docs.aws.amazon.com/cur/latest/userguide/example-split-cost-allocation-data.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.model import Price

VCPU_WEIGHT: Final = 9.0
SIZES_A_FAMILY: Final = 4
"""Instance types of one family that are asked for: within it a vCPU costs about the same, whatever the size."""
LEAST_VCPUS: Final = 2
"""Smaller instances, which are priced by their bursts, are left out of a family."""
MOST_TYPES: Final = 60


@dataclass(frozen=True, slots=True)
class InstanceShape:
    """vCPUs and GiB of memory of an instance type."""

    name: str
    vcpus: int
    gib: float

    @property
    def family(self) -> str:
        """Part of the name before the dot."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class PricedInstance:
    """Instance type and its price of an hour."""

    shape: InstanceShape
    hourly: float

    @property
    def of_vcpu(self) -> float:
        """Price of an hour of one of its vCPUs, with the memory that comes with it."""
        return self.hourly / self.shape.vcpus


def choose_types(shapes: Iterable[InstanceShape], exact: frozenset[str]) -> list[InstanceShape]:
    """Choose what to ask prices of: each type in `exact`, and the smallest ones of each family."""
    by_family: defaultdict[str, list[InstanceShape]] = defaultdict(list)
    chosen: list[InstanceShape] = []
    for shape in sorted(shapes, key=lambda one: (one.vcpus, one.gib, one.name)):
        family = by_family[shape.family]
        if shape.name in exact:
            chosen.append(shape)
        elif shape.vcpus >= LEAST_VCPUS and len(family) < SIZES_A_FAMILY:
            family.append(shape)
            chosen.append(shape)
    return chosen[:MOST_TYPES]


def match_prices(shapes: Iterable[InstanceShape], hourly: Mapping[str, float]) -> list[PricedInstance]:
    """Pair the types with their prices by name; what has none is left out."""
    return [PricedInstance(shape, hourly[shape.name]) for shape in shapes if shape.name in hourly]


def price_of(instances: Sequence[PricedInstance], source: str, at: float) -> Price:
    """Price of what may be any of these instances: of the one in the middle by its vCPU, and how far others differ.

    Raises `ValueError` for no instance.
    """
    if not instances:
        raise ValueError("no instance has a price")
    ordered = sorted(instances, key=lambda one: (one.of_vcpu, one.shape.name))
    middle = ordered[(len(ordered) - 1) // 2]
    unit = middle.hourly / (VCPU_WEIGHT * middle.shape.vcpus + middle.shape.gib)
    return Price(
        vcpu_hour=VCPU_WEIGHT * unit,
        gib_hour=unit,
        low=ordered[0].of_vcpu,
        high=ordered[-1].of_vcpu,
        types=len(ordered),
        source=source,
        read_at=at,
    )
