"""Retries of tasks whose function was called: with more memory after a kill for it, and after lost hosts.

How often a task may still be sent again stands in its shape and so travels with its job: a successor goes on counting.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Protocol

from engine.backends.batch.track.failures.failure import JobEnd
from engine.model import ResourceShape

MEMORY_FACTOR: Final = 2
"""A task that needed more memory gets so many times what it had, up to what the environments serve."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a task of the table is sent again; the wish of a function may say another number for memory."""

    memory: int = 0
    host_losses: int = 3
    job_memory_mib: int | None = None
    """What a job has that asks for nothing."""


class LargestMemory(Protocol):
    """What is known of the largest jobs."""

    async def largest_memory(self, shape: ResourceShape) -> int | None:
        """MiB of the largest job with the vCPUs and GPUs of the shape; None: unknown."""


class Retries:
    """Decides with which shape a task is sent again; None: not again."""

    def __init__(self, *, policy: RetryPolicy, sizes: LargestMemory) -> None:
        self._policy = policy
        self._sizes = sizes

    async def after_end(self, shape: ResourceShape, end: JobEnd) -> ResourceShape | None:
        """Of a task whose job ended so, without a result."""
        if end.was_out_of_memory:
            return await self.after_memory(shape, end.memory_mib)
        left = self._host_losses_left(shape)
        return replace(shape, host_retries=left - 1) if end.lost_its_host and left else None

    async def after_memory(self, shape: ResourceShape, had_mib: int | None) -> ResourceShape | None:
        """Of a task that was killed for its memory; `had_mib` counts where nothing else tells what its job had."""
        left = self._policy.memory if shape.memory_retries is None else shape.memory_retries
        had = shape.memory_mib or self._policy.job_memory_mib or had_mib
        if not left or not had:
            return None
        largest = await self._sizes.largest_memory(shape)
        more = had * MEMORY_FACTOR if largest is None else min(had * MEMORY_FACTOR, largest)
        return replace(shape, memory_mib=more, memory_retries=left - 1) if more > had else None

    def jobs_lost(self, shape: ResourceShape) -> int:
        """How many jobs of the task lost their host in each attempt, with its last one."""
        return max(0, self._policy.host_losses - self._host_losses_left(shape)) + 1

    def _host_losses_left(self, shape: ResourceShape) -> int:
        return self._policy.host_losses if shape.host_retries is None else shape.host_retries
