"""Ours beside the peers on the same local AWS, alternating, in one run. Prints a table, and JSON with ratios.

    python -m tests.benchmarks.compare --sizes 50 500 --repeats 3 --json compare.json
    python -m tests.benchmarks.compare --growth 100 1000 10000 --svg docs/growth.svg

The peers: Scaler's own AWS manager of the pinned release (`peers/peer_manager.py` says what is patched so that it
starts), and Scaler's native workers, one a core, as the bound of what this machine does without any cloud. Each
repetition begins with another side. Figures are of this machine and this run; what travels is the ratio.

`--growth` runs no jobs (`local --no-jobs`) and measures our manager alone, size after size.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from engine.config.settings import ManagerConfig
from provisioner.local.cluster import LocalCluster
from tests.benchmarks.peers.growth import grow, growth_table
from tests.benchmarks.peers.growth_plot import plot
from tests.benchmarks.peers.measures import Bench, Figures, Measure, in_flight, latency, many, recovery, sharing
from tests.benchmarks.peers.sides import Side, Starter, job_program

SHORT_S: Final = 0.1
"""Of the tasks that do something."""
Table = dict[str, dict[Side, list[float]]]


def measures(arguments: argparse.Namespace) -> dict[str, Measure]:
    """All by name, in the order in which they run; the manager is killed last."""
    found: dict[str, Measure] = {"latency": latency(arguments.latency_tasks)}
    found |= {f"noops-{count}": many(count, 0.0) for count in arguments.sizes}
    found |= {f"short-{count}": many(count, SHORT_S) for count in arguments.short_sizes}
    found |= {f"flight-{count}": in_flight(count) for count in arguments.in_flight}
    return found | {"sharing": sharing, "recovery": recovery}


def compare(arguments: argparse.Namespace, folder: Path) -> Table:
    """Every measure of every side, so many times."""
    table: Table = defaultdict(lambda: defaultdict(list))
    chosen = {name: one for name, one in measures(arguments).items() if name not in arguments.without}
    sides = [Side(one) for one in arguments.sides]
    options: dict[str, Any] = {
        "vcpus": max(256, arguments.slots),
        "program": job_program(sides, is_fresh=arguments.fresh_jobs),
        "transport": arguments.transport,
        "max_finished_jobs": 1_000_000,  # all are counted
    }
    with LocalCluster(state_dir=folder / "cluster", **options) as cluster:
        starter = Starter(cluster, folder, arguments.slots, changes(arguments))
        starter.define_peers_job()
        for repetition in range(arguments.repeats):
            for side in rotated(sides, repetition):
                with starter.running(side) as running:
                    for name, measure in chosen.items():
                        print(f"{repetition + 1}/{arguments.repeats} {side}: {name}", file=sys.stderr, flush=True)
                        note(table, side, attempt(measure, Bench(cluster, starter, side, running)))
    return table


def attempt(measure: Measure, bench: Bench) -> Figures:
    """A side that fails a measure has no figures of it, and goes on."""
    try:
        return measure(bench)
    except Exception as error:
        print(f"{bench.side} failed: {type(error).__name__}: {error}"[:500], file=sys.stderr, flush=True)
        return {}


def changes(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """More of our configuration. Raises `SystemExit` for what this engine doesn't know."""
    if arguments.pack is None:
        return {}
    if "pack" not in ManagerConfig.__struct_fields__:
        sys.exit("this engine doesn't pack: leave out --pack")
    return {"pack": arguments.pack}


def rotated(sides: Sequence[Side], by: int) -> list[Side]:
    """Another one first each time, so that none always meets the machine as the one before left it."""
    by %= len(sides)
    return [*sides[by:], *sides[:by]]


def note(table: Table, side: Side, figures: Figures) -> None:
    """Add one repetition's figures."""
    for name, value in figures.items():
        table[name][side].append(value)


def ratio(ours: Sequence[float], other: Sequence[float]) -> dict[str, float] | None:
    """Ours over theirs: of the medians, and the least and the most of the repetitions. None without figures."""
    pairs = [a / b for a, b in zip(ours, other, strict=False) if b]
    if not pairs or not statistics.median(other):
        return None
    return {"median": statistics.median(ours) / statistics.median(other), "least": min(pairs), "most": max(pairs)}


def report(table: Table) -> dict[str, Any]:
    """The table as JSON: values, medians, ratios."""
    return {
        name: {
            **{side: {"median": statistics.median(values), "values": values} for side, values in by_side.items()},
            "ratios": {
                f"ours/{side}": ratio(by_side[Side.OURS], values)
                for side, values in by_side.items()
                if side is not Side.OURS and Side.OURS in by_side
            },
        }
        for name, by_side in table.items()
    }


def lines(table: Table) -> list[str]:
    """The table for a person."""
    found = [f"{'':<58}{'ours':>24}{'peer':>24}{'native':>24}{'ours/peer':>28}"]
    for name, by_side in table.items():
        cells = "".join(f"{spread(by_side.get(side, [])):>24}" for side in Side)
        share = ratio(by_side.get(Side.OURS, []), by_side.get(Side.PEER, []))
        told = f"{share['median']:.3g} ({share['least']:.3g} to {share['most']:.3g})" if share else ""
        found.append(f"{name:<58}{cells}{told:>28}")
    return found


def spread(values: Sequence[float]) -> str:
    """Median, and the least and the most when there are several."""
    if not values:
        return "-"
    middle = f"{statistics.median(values):.3g}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.3g} to {max(values):.3g})"


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.compare", description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[50, 500, 5_000, 20_000], help="no-ops")
    parser.add_argument("--short-sizes", type=int, nargs="*", default=[500], help=f"tasks of {SHORT_S} s")
    parser.add_argument("--in-flight", type=int, nargs="*", default=[1, 100, 5_000], help="need as many --slots")
    parser.add_argument("--latency-tasks", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--slots", type=int, default=100, help="jobs at once, of ours and of the peer")
    parser.add_argument("--sides", nargs="*", default=list(Side), choices=list(Side))
    parser.add_argument("--without", nargs="*", default=[], help="measures to leave out, like recovery, noops-50")
    parser.add_argument("--fresh-jobs", action="store_true", help="no fork server, as on AWS; not for the peer")
    parser.add_argument("--pack", help="passed to ours: off, auto, or a number")
    parser.add_argument("--transport", default="ymq", choices=["ymq", "zmq"])
    parser.add_argument("--growth", type=int, nargs="*", help="measure the manager alone at these sizes, instead")
    parser.add_argument("--svg", type=Path, help="plot the growth into this file")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="keep the logs here")
    return parser.parse_args(words)


def main() -> int:
    """Measure, print, write."""
    arguments = parse()
    kept = nullcontext(arguments.folder) if arguments.folder else tempfile.TemporaryDirectory(prefix="compare-")
    with kept as name:
        folder = Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        if arguments.growth:
            grown = grow(folder, arguments.growth, arguments.slots, changes(arguments), arguments.transport)
            told, printed = grown.as_json(), growth_table(grown)
            if arguments.svg:
                arguments.svg.write_text(plot(grown))
        else:
            table = compare(arguments, folder)
            told, printed = report(table), lines(table)
    print(*printed, sep="\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
