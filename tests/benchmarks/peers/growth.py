"""Growth: what our manager costs a task, from size to size, on a local AWS that runs no jobs; and what was fitted."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provisioner.local.cluster import LocalCluster
from tests.benchmarks.peers.measures import manager_calls_of, run_echoes
from tests.benchmarks.peers.sides import Side, Starter


@dataclass(frozen=True)
class Size:
    """One engine's run of so many tasks."""

    tasks: int
    seconds: float
    cpu_ms: float
    calls: int
    submissions: int
    peak_rss_mib: float
    """0: not measured."""

    @property
    def cpu_ms_a_task(self) -> float:
        """Of the engine's process."""
        return self.cpu_ms / self.tasks

    @property
    def calls_a_task(self) -> float:
        """Of AWS's APIs, by the manager."""
        return self.calls / self.tasks


@dataclass(frozen=True)
class Line:
    """`fixed + slope * tasks`, by least squares of the relative error."""

    fixed: float
    slope: float

    @classmethod
    def fit(cls, points: Sequence[tuple[float, float]]) -> Line:
        """Each point weighs by 1/x², so that the largest doesn't decide alone; flat with one point."""
        weights = [1 / x**2 for x, _ in points]
        total = sum(weights)
        mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
        mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
        across = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
        both = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
        slope = both / across if across else mean_y / mean_x
        return cls(mean_y - slope * mean_x, slope)

    def at(self, tasks: float) -> float:
        """The total for so many."""
        return self.fixed + self.slope * tasks

    def a_task(self, tasks: float) -> float:
        """The share of one of so many."""
        return self.at(tasks) / tasks


@dataclass(frozen=True)
class Growth:
    """All sizes, in order."""

    sizes: tuple[Size, ...]

    def line(self, value: Callable[[Size], float]) -> Line:
        """The fit of one figure's total over the number of tasks."""
        return Line.fit([(one.tasks, value(one)) for one in self.sizes])

    @property
    def lines(self) -> Mapping[str, Line]:
        """CPU in ms, calls, and peak memory in MiB."""
        return {
            "cpu_ms": self.line(lambda one: one.cpu_ms),
            "calls": self.line(lambda one: one.calls),
            "peak_rss_mib": self.line(lambda one: one.peak_rss_mib),
        }

    def as_json(self) -> dict[str, Any]:
        """Sizes and fits."""
        fits = {name: asdict(line) for name, line in self.lines.items()}
        return {"sizes": [asdict(one) for one in self.sizes], "fits": fits}


def grow(folder: Path, sizes: Sequence[int], slots: int, changes: Mapping[str, Any], transport: str) -> Growth:
    """Run each size on an engine of its own, with fresh processes of Scaler."""
    found = []
    with LocalCluster(
        state_dir=folder / "cluster", transport=transport, vcpus=max(256, slots), no_jobs=True
    ) as cluster:
        starter = Starter(cluster, folder, slots, changes)
        for tasks in sorted(sizes):
            found.append(measure(cluster, starter, tasks))
            print(row(found[-1]), file=sys.stderr, flush=True)
    return Growth(tuple(found))


def measure(cluster: LocalCluster, starter: Starter, tasks: int) -> Size:
    """One size. The engine is warm: it has its client, its queue and its definition."""
    with starter.running(Side.OURS) as running:
        run_echoes(cluster, 1)
        cluster.aws.reset_calls()
        cpu = running.cpu_s()
        seconds = run_echoes(cluster, tasks)
        calls = manager_calls_of(cluster)
        return Size(
            tasks=tasks,
            seconds=seconds,
            cpu_ms=(running.cpu_s() - cpu) * 1000,
            calls=calls.total(),
            submissions=calls["batch.SubmitJob"],
            peak_rss_mib=running.peak_rss_mib(),
        )


def growth_table(growth: Growth) -> list[str]:
    """For a person."""
    names = {"cpu_ms": "CPU ms", "calls": "calls", "peak_rss_mib": "peak MiB"}
    fits = [f"{names[name]}: {line.fixed:.1f} + {line.slope:.5f} a task" for name, line in growth.lines.items()]
    return [row(one) for one in growth.sizes] + fits


def row(one: Size) -> str:
    """A size as a line."""
    return (
        f"{one.tasks:>7,} tasks {one.tasks / one.seconds:7.1f}/s {one.cpu_ms_a_task:6.2f} ms CPU a task "
        f"{one.calls_a_task:6.3f} calls a task {one.submissions:5} submissions {one.peak_rss_mib:6.1f} MiB"
    )
