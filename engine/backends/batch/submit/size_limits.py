"""Limits of a job's size: a shape that no environment of the queue can serve would wait in RUNNABLE for ever.

What EC2 says of the environments' instance types is read with the first task that asks for a size of its own, and
then at most once an hour. What can't be read refuses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.aws.budget import Clock
from engine.aws.calls.operations import DESCRIBE_INSTANCE_TYPES
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.aws.fargate import SIZES, fitting_size
from engine.backends.batch.preflight import Surroundings
from engine.diagnosis.checks.instance_fit import (
    could_fit,
    describe_largest,
    instance_patterns,
    largest_memory,
    parse_type,
)
from engine.diagnosis.evidence import InstanceType
from engine.model import ResourceShape

READ_AGAIN_S: Final = 3600.0
TRY_AGAIN_S: Final = 300.0
READ_TIMEOUT_S: Final = 10.0
MOST_PAGES: Final = 10
PAGE: Final = 100
EC2_TYPES: Final = frozenset({"EC2", "SPOT"})


class SizeLimits:
    """What the queue's environments can serve; `clock` is monotonic."""

    def __init__(self, *, client: AwsClient, surroundings: Surroundings, clock: Clock) -> None:
        self._client = client
        self._found = surroundings
        self._clock = clock
        self._types: tuple[InstanceType, ...] = ()
        self._due_at = float("-inf")
        self._reading = asyncio.Lock()

    async def refusal(self, shape: ResourceShape) -> str:
        """Why no environment can serve a job of this shape, with the largest that could; empty: one may."""
        if shape.vcpus is None and shape.memory_mib is None and shape.gpus is None:
            return ""
        vcpus = shape.vcpus or self._found.vcpus or 0
        memory_mib = shape.memory_mib or self._found.memory_mib or 0
        gpus = shape.gpus or self._found.gpus
        largest = await self._exceeded(vcpus, memory_mib, gpus)
        asked = f"{vcpus:g} vCPUs, {memory_mib} MiB and {gpus} GPUs"
        return largest and f"no environment of the queue can serve {asked}: the largest is {largest}; ask for less"

    async def largest_memory(self, shape: ResourceShape) -> int | None:
        """MiB of the largest job with the vCPUs and GPUs of the shape; None: it isn't known."""
        if self._found.fargate is not None:
            return SIZES[max(SIZES)][-1]
        types = await self._known_types()
        return largest_memory(types, shape.vcpus or self._found.vcpus or 0, shape.gpus or self._found.gpus)

    async def _exceeded(self, vcpus: float, memory_mib: int, gpus: int) -> str:
        """What is too small for it at its largest; empty: nothing, or it isn't known."""
        if self._found.fargate is not None:
            fits = fitting_size(vcpus, memory_mib) is not None and not gpus
            return "" if fits else f"Fargate with {max(SIZES):g} vCPUs, {SIZES[max(SIZES)][-1]} MiB and no GPU"
        types = await self._known_types()
        fits = not types or could_fit(types, vcpus, memory_mib, gpus)
        return "" if fits else describe_largest(types, gpus)

    async def _known_types(self) -> tuple[InstanceType, ...]:
        async with self._reading:
            if self._clock() >= self._due_at:
                try:
                    async with asyncio.timeout(READ_TIMEOUT_S):
                        self._types = await self._read()
                    self._due_at = self._clock() + READ_AGAIN_S
                except (AwsError, TimeoutError):
                    self._due_at = self._clock() + TRY_AGAIN_S
            return self._types

    async def _read(self) -> tuple[InstanceType, ...]:
        """Empty when they aren't all known. Raises `AwsError`."""
        patterns = _patterns(self._found.environments)
        found: list[Any] = []
        token = ""
        for _ in range(MOST_PAGES if patterns else 0):
            more: dict[str, Any] = {"NextToken": token} if token else {}
            filters = [{"Name": "instance-type", "Values": patterns}]
            answer = await self._client.call(DESCRIBE_INSTANCE_TYPES, tries=1, MaxResults=PAGE, Filters=filters, **more)
            found += answer["InstanceTypes"]
            token = answer.get("NextToken", "")
            if not token:
                return tuple(map(parse_type, found))
        return ()


def _patterns(environments: Sequence[Mapping[str, Any]]) -> list[str]:
    """EC2's patterns of all instance types; empty when an environment starts others than EC2's by type."""
    resources = [one.get("computeResources") or {} for one in environments]
    types = [one.get("instanceTypes", ()) if one.get("type") in EC2_TYPES else () for one in resources]
    return sorted({pattern for each in types for pattern in instance_patterns(each)}) if all(types) else []
