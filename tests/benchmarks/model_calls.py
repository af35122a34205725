"""API calls of the manager for many tasks, on models of AWS and Scaler in virtual time: the same on any machine.

    python -m tests.benchmarks.model_calls --tasks 100 1000 10000 --slots 1000 --seconds 5 --svg growth.svg

A listing a second is a second's worth of listings however fast the machine is, so calls depend on how long tasks take.
The CPU that is printed holds the models' own; `--profile` says where it went.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from container.batch_job_wire.payload_frames import task_ids
from engine.backends.batch.submit.packing import PROCESS_S
from engine.config.settings import Pack
from tests.benchmarks.peers.growth import Growth, Size, row
from tests.benchmarks.peers.growth_plot import plot
from tests.support.schedules import batch_model
from tests.support.schedules.batch_model import Batch, Fate
from tests.support.schedules.session_model import ModelSession
from tests.support.schedules.story import Plan, Story, run_plan

ARRIVALS_A_SECOND = 1_000.0
"""As a client sends them."""


@dataclass
class Counts:
    """What the manager asked of AWS, by operation, and how the story went."""

    tasks: int
    calls: Counter[str] = field(default_factory=Counter)
    story: Story = field(default_factory=lambda: Story(0))
    cpu_s: float = 0.0

    @property
    def size(self) -> Size:
        """As a size of the growth; memory would be the models'."""
        submissions, seconds = self.calls["submit_job"], self.story.seconds
        return Size(self.tasks, seconds, self.cpu_s * 1000, self.calls.total(), submissions, peak_rss_mib=0.0)


def count_calls(tasks: int, slots: int, seconds: float, seed: int = 1, pack: Pack = "off") -> Counts:
    """Run so many tasks of about so many seconds on so many slots."""
    rng = random.Random(seed)
    plan = Plan(slots, 2 * tasks, lag_s=1.0, patience_s=1e6, pack=pack, entry_s=2 * PROCESS_S)
    for number in range(tasks):
        fate = Fate(seconds * rng.uniform(0.5, 1.5))
        plan.tasks.append((number / ARRIVALS_A_SECOND, number.to_bytes(16, "big"), fate, 10))
    counts, started = Counts(tasks), time.process_time()
    with _counted(counts.calls), _quick_models():
        counts.story = run_plan(plan, rng, seed)
    counts.cpu_s = time.process_time() - started
    return counts


@contextmanager
def _counted(calls: Counter[str]) -> Iterator[None]:
    make = ModelSession.call

    def call(session: ModelSession, operation: str, work: Callable[[], Any]) -> Any:
        calls[operation] += 1
        return make(session, operation, work)

    with patch.object(ModelSession, "call", call):
        yield


@contextmanager
def _quick_models() -> Iterator[None]:
    """Without what is quadratic in them: who lives is no question here, and a frame's tasks are read once."""
    known: dict[int, tuple[bytes, tuple[bytes, ...]]] = {}

    def known_ids(frame: bytes) -> tuple[bytes, ...]:
        if id(frame) not in known:
            known[id(frame)] = (frame, task_ids(frame))
        return known[id(frame)][1]

    with patch.object(batch_model, "task_ids", known_ids), patch.object(Batch, "_is_living", lambda *_: False):
        yield


def main() -> int:
    """Print the counts. 1 when a promise did not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--tasks", type=int, nargs="+", default=[10_000])
    parser.add_argument("--slots", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a task, on average")
    parser.add_argument("--pack", choices=("auto", "off"), default="off")
    parser.add_argument("--svg", type=Path, help="plot CPU and calls a task into this file")
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    profile, found = cProfile.Profile(), list[Counts]()
    for tasks in arguments.tasks:
        with profile if arguments.profile else nullcontext():
            counts = count_calls(tasks, arguments.slots, arguments.seconds, pack=arguments.pack)
        print(f"{row(counts.size)}\n{dict(counts.calls)}", *counts.story.broken, sep="\n", flush=True)
        found.append(counts)
    if arguments.svg:
        arguments.svg.write_text(plot(Growth(tuple(one.size for one in found))))
    if arguments.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    return 1 if any(one.story.broken for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
