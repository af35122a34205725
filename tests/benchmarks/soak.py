"""Soak: minutes of mixed load under random faults, kills and restarts, from a seed. Exits 1 when something is broken.

    python -m tests.benchmarks.soak --minutes 20 --seed 1 --json soak.json
    python -m tests.benchmarks.soak --minutes 20 --seed 2 --pack auto --slots 6

One client after the other sends a round of tasks. While it waits, faults of the local AWS come and go, and in some
rounds the manager is killed, or Scaler's scheduler or object storage is restarted, which forget what they had: what a
client loses then is Scaler's contract, and is counted apart. A manager that a fault refuses its start is started again,
as a supervisor does (docs/operations.md, "Drain"). Between rounds it is calm, and the engine is weighed.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import psutil

from engine.config.settings import EngineConfig
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, client_process, keys_left, manager_config

MANAGER: Final = "wm-test"
TASKS: Final = 60
ROUND_S: Final = 150.0
FORGETTING_S: Final = 45.0
"""What Scaler forgot no client gets."""
CALM_S: Final = 90.0
START_S: Final = 60.0
RESTART_S: Final = 0.5
STARTS: Final = 10
"""So often a killed manager is started again before its end counts."""
REFUSED: Final = 1
"""Exit code with which a supervisor starts it again."""
OPEN: Final = "scheduler: connected to"
"""The log's words when a start is complete."""
RSS_GROWTH_MIB: Final = 48.0
"""Between the first and the last calm moment of one engine: caches fill, arenas stay."""
SPARE: Final = 8
"""Threads and descriptors that may be more in the last calm moment than in the first."""
HOST_LOST: Final = "spot:0.05"
LATE_S: Final = 2
LATE_RESULT: Final = f"late-result:0.1:{LATE_S}"
"""S3 shows at once what was written; with this a result may come behind the deletion of its cancelled task's."""
CALLED_AGAIN: Final = frozenset((HOST_LOST, LATE_RESULT))
"""Behind these a function may be called again. S3 always shows what it took, and all that we do rests on that."""
REFUSING: Final = "error:"
"""What the faults begin with that may refuse a start."""
FAULTS: Final = (
    "throttle:SubmitJob:1/s:3s",
    "throttle:batch:4/s:2s",
    "throttle:s3:15/s:2s",
    "ambiguous:SubmitJob:x1",
    "ambiguous:TerminateJobs:x1",
    "lost:SubmitJob:x1",
    "ambiguous:DeleteObjects:x2",
    "ambiguous:PutObject:x2",
    "lost:batch:x3",
    "error:batch:403:1s",
    "error:ListObjectsV2:403:1s",
    "error:*:503:1s",
    "slow:s3:1.5s:3s",
    "slow:batch:3s:2s",
    "vanish-finished:0.05",
    LATE_RESULT,
    "drop-result:0.02",
    "corrupt-result:0.02",
    "truncate-result:0.02",
    "start-failure:0.02",
    "oom:0.02",
    "kill:0.02",
    HOST_LOST,
)
CLIENT: Final = """
import json, time
def work(number, folder, seconds, padding):
    with open(os.path.join(folder, f"{number:03}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(seconds)
    if number % 10 == 7:
        raise ValueError(number)
    return number * number, padding
folder, count = sys.argv[1], int(sys.argv[2])
told = {"right": 0, "wrong": 0, "errors": 0, "cancelled": 0, "causes": {}}
with Client(address=ADDRESS) as client:
    shared = os.urandom(300_000)
    padding = lambda number: shared if number % 3 == 0 else bytes(number)
    futures = [client.submit(work, n, folder, (n % 5) * 0.3, padding(n)) for n in range(count)]
    for number, future in enumerate(futures):
        if number % 12 == 11 and future.cancel():
            told["cancelled"] += 1
            continue
        try:
            is_right = future.result() == (number * number, padding(number))
            told["right" if is_right else "wrong"] += 1
        except BaseException as error:
            told["errors"] += 1
            cause = f"{type(error).__name__}: {error}"[:60] if number % 10 != 7 else type(error).__name__
            told["causes"][cause] = told["causes"].get(cause, 0) + 1
print(json.dumps(told))
"""


class Upset(StrEnum):
    """What is done to a process in a round."""

    NONE = "none"
    MANAGER = "manager killed"
    SCHEDULER = "scheduler restarted"
    STORAGE = "storage restarted"


@dataclass
class Weight:
    """What an engine has in a calm moment."""

    rss_mib: float
    threads: int
    descriptors: int
    keys: int


@dataclass
class Round:
    """One client's tasks and what became of them."""

    upset: Upset
    is_upset: bool = False
    """It was done; a client that is quick has its answers before."""
    refused_starts: list[str] = field(default_factory=list)
    """The last words of each, a sentence that names the fault."""
    faults: list[str] = field(default_factory=list)
    tasks: int = TASKS
    right: int = 0
    wrong: int = 0
    errors: int = 0
    cancelled: int = 0
    lost_by_scaler: int = 0
    unanswered: int = 0
    twice: int = 0
    late: int = 0
    """Results that came behind their cancelled task, and stay for the next manager's start."""
    causes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    weight: Weight | None = None
    broken: list[str] = field(default_factory=list)


class Soak:
    """A cluster, the engine on it, and rounds; `folder` gets the logs, `settings` are more of the manager's."""

    def __init__(self, cluster: LocalCluster, folder: Path, seed: int, settings: Mapping[str, Any]) -> None:
        self._settings = {"inline_limit": 2_000, **settings}
        self._is_packing = settings.get("pack") != "off"
        self._cluster = cluster
        self._folder = folder
        self._rng = random.Random(seed)
        self._lives: list[int] = []  # the round in which each engine began
        self._late: set[str] = set()
        self.rounds: list[Round] = []
        self.engine = self._launch()

    def run(self, seconds: float) -> None:
        """Rounds for so long. The first kills the manager, so that the shortest soak judges that; the second half
        kills none: one engine lives through it."""
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds or not self.rounds:
            upsets = list(Upset) if passed < seconds / 2 else [Upset.NONE, Upset.NONE, Upset.SCHEDULER, Upset.STORAGE]
            upset = self._rng.choice([Upset.NONE, *upsets]) if self.rounds else Upset.MANAGER
            self.rounds.append(self._do_round(upset))
            print(row(len(self.rounds), self.rounds[-1]), flush=True)

    def stop(self) -> list[str]:
        """End the engine in order; what is broken then. What came late goes when the next one looks for orphans."""
        idle = self._come_to(lambda: not self._keys(with_blobs=True), CALM_S)
        broken = [] if idle else [f"objects stay for longer than a blob is idle: {self._keys(with_blobs=True)[:2]}"]
        code = self.engine.stop(timeout=90)
        broken += [f"the engine ended with {code}"] if code else []
        left = self._keys(with_blobs=True)
        broken += [f"{len(left)} objects stay when the engine has ended: {left[:2]}"] if left else []
        if self._late:
            self.engine = self._launch()
            gone = self._come_to(lambda: not self._late.intersection(keys_left(self._cluster, MANAGER)), CALM_S)
            broken += [] if gone else [f"{len(self._late)} late results stay when a manager has started"]
            self.engine.stop(timeout=90)
        return broken

    def findings(self) -> list[str]:
        """All that is broken."""
        found = [f"round {number}: {one}" for number, each in enumerate(self.rounds, 1) for one in each.broken]
        for number, (began, ended) in enumerate(pairwise([*self._lives, len(self.rounds)]), 1):
            weights = [each.weight for each in self.rounds[began:ended] if each.weight is not None]
            found += [f"engine {number}: {one}" for one in grown(weights[0], weights[-1])] if weights else []
        return found

    def _launch(self) -> Engine:
        self._lives.append(len(self.rounds))
        config = EngineConfig(managers=(manager_config(self._cluster, **self._settings),))
        return Engine(config, self._cluster.environment(), self._folder / f"engine-{len(self._lives)}.log")

    def _do_round(self, upset: Upset) -> Round:
        one, started = Round(upset), time.monotonic()
        calls = self._folder / f"calls-{len(self.rounds)}"
        calls.mkdir()
        with client_process(self._cluster, CLIENT, str(calls), str(TASKS)) as client, self._storm(one):
            printed = wait_for(client, ROUND_S if upset in (Upset.NONE, Upset.MANAGER) else FORGETTING_S)
        self._settle(one, printed)
        one.seconds = time.monotonic() - started
        one.twice = sum(len(path.read_text().splitlines()) > 1 for path in calls.iterdir())
        # in a pack the task behind a cancelled one may be called again (docs/reference.md)
        may_be = one.cancelled if self._is_packing else 0
        if one.twice > may_be and not CALLED_AGAIN.intersection(one.faults):
            one.broken.append(f"{one.twice} functions were called twice")
        self._calm(one)
        return one

    def _settle(self, one: Round, printed: str) -> None:
        told: dict[str, Any] = json.loads(printed) if printed else {}
        one.right, one.wrong = told.get("right", 0), told.get("wrong", 0)
        one.errors, one.cancelled = told.get("errors", 0), told.get("cancelled", 0)
        one.causes = told.get("causes", {})
        missing = TASKS - one.right - one.wrong - one.errors - one.cancelled
        if one.is_upset and one.upset is not Upset.MANAGER:
            forgotten = one.errors - one.causes.get("ValueError", 0)
            one.errors -= forgotten
            one.lost_by_scaler = missing + forgotten
        elif missing:
            one.unanswered = missing
            one.broken.append(f"{missing} tasks were not answered")
        if one.wrong:
            one.broken.append(f"{one.wrong} results are wrong")

    @contextmanager
    def _storm(self, one: Round) -> Iterator[None]:
        over = threading.Event()
        self._cluster.aws.fault("lag:3s")
        plan = [(self._rng.uniform(0.2, 2.0), self._rng.choice(FAULTS)) for _ in range(self._rng.randint(0, 6))]
        wind = threading.Thread(target=self._blow, args=(one, plan, over))
        wind.start()
        try:
            yield
        finally:
            over.set()
            wind.join()
            self._cluster.aws.clear_faults()

    def _blow(self, one: Round, plan: Sequence[tuple[float, str]], over: threading.Event) -> None:
        for number, (pause, fault) in enumerate(plan):
            if over.wait(pause):
                break
            one.faults.append(fault)
            self._cluster.aws.fault(fault)
            if number == len(plan) // 2:
                self._upset(one)
        if not plan and not over.wait(1.5):
            self._upset(one)

    def _upset(self, one: Round) -> None:
        one.is_upset = one.upset is not Upset.NONE
        match one.upset:
            case Upset.MANAGER:
                self.engine.stop(signal.SIGKILL)
                self._start_again(one)
            case Upset.SCHEDULER:
                self._cluster.restart_scheduler()
            case Upset.STORAGE:
                self._cluster.restart_object_storage()

    def _start_again(self, one: Round) -> None:
        """Start the engine until it is open, as its supervisor; what still isn't then is found in the next calm."""
        for _ in range(STARTS):
            self.engine = self._launch()
            if not self._opens():
                one.broken.append(f"the manager's start took more than {START_S:.0f} s")
            if OPEN in self.engine.log or self.engine.process.poll() != REFUSED:
                return
            if not any(fault.startswith(REFUSING) for fault in one.faults):
                one.broken.append("a start was refused, and no fault refused it")
            one.refused_starts.append(self.engine.log.rstrip().rpartition("\n")[2])
            time.sleep(RESTART_S)

    def _opens(self) -> bool:
        """Wait for its start or its end; False when neither came in time."""
        return self._come_to(lambda: OPEN in self.engine.log or self.engine.process.poll() is not None, START_S)

    def _come_to(self, condition: Callable[[], object], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def _calm(self, one: Round) -> None:
        """Wait until nothing of tasks is left, then weigh the engine."""
        if LATE_RESULT in one.faults:
            time.sleep(LATE_S)  # what is hidden is shown by then, and is not taken for the next round's
        if not self._come_to(lambda: not self._keys() and not self._cluster.aws.jobs()["running"], CALM_S):
            self._judge_left(one)
        if (code := self.engine.process.poll()) is not None:
            one.broken.append(f"the engine ended with {code}")
            self.engine = self._launch()
            return
        one.weight = weigh(self.engine.process.pid, len(self._keys()))

    def _judge_left(self, one: Round) -> None:
        keys = self._keys()
        if LATE_RESULT in one.faults and 0 < len(keys) <= one.cancelled and all("/results/" in key for key in keys):
            one.late = len(keys)
            self._late.update(keys)
        else:
            one.broken.append(f"{len(keys)} objects or jobs stay: {keys[:2]}")

    def _keys(self, *, with_blobs: bool = False) -> list[str]:
        keys = unexplained(keys_left(self._cluster, MANAGER), with_blobs=with_blobs)
        return [key for key in keys if key not in self._late]


def unexplained(keys: Sequence[str], *, with_blobs: bool) -> list[str]:
    """Keys of tasks. A submission whose request got lost keeps fence, bundle and blobs for ten minutes.

    `with_blobs` counts those, too, that wait for their next use, which they do for a minute while the engine lives.
    """
    fenced = [key.rpartition("/")[2] for key in keys if "/fence/" in key]

    def is_kept(key: str) -> bool:
        folder, _, name = key.partition(f"/{MANAGER}/")[2].partition("/")
        if folder == "objects":
            return bool(fenced) or not with_blobs
        return folder in ("lease", "fence") or any(name.startswith(each) for each in fenced)

    return [key for key in keys if not is_kept(key)]


def wait_for(client: subprocess.Popen[str], seconds: float) -> str:
    """What the client printed; nothing when it was not answered in time, or failed."""
    try:
        output, errors = client.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        client.send_signal(signal.SIGINT)
        try:
            client.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
        return ""
    if client.returncode:
        print(errors[-2_000:], file=sys.stderr)
    return output


def weigh(pid: int, keys: int) -> Weight:
    """What that process has now."""
    process = psutil.Process(pid)
    return Weight(process.memory_info().rss / 2**20, process.num_threads(), process.num_fds(), keys)


def grown(first: Weight, last: Weight) -> list[str]:
    """What the last weight has too much."""
    found = []
    if last.rss_mib > first.rss_mib + RSS_GROWTH_MIB:
        found.append(f"memory grew from {first.rss_mib:.0f} to {last.rss_mib:.0f} MiB")
    for name in ("threads", "descriptors"):
        before, after = getattr(first, name), getattr(last, name)
        if after > before + SPARE:
            found.append(f"{name} grew from {before} to {after}")
    return found


def row(number: int, one: Round) -> str:
    """The round as a line of the table."""
    weight = one.weight
    upset = one.upset if one.is_upset else Upset.NONE
    weighed = f"{weight.rss_mib:4.0f} MiB {weight.threads:3} thr {weight.descriptors:3} fds" if weight else "no engine"
    return (
        f"{number:3} {upset:<19} {len(one.faults):2} faults  {one.right:3} right {one.errors:3} errors "
        f"{one.cancelled:2} cancelled {one.lost_by_scaler:3} lost by Scaler {one.unanswered:3} unanswered "
        f"{one.twice:2} twice {len(one.refused_starts):2} starts refused {one.seconds:5.1f} s  {weighed}  "
        f"{'; '.join(one.broken)}"
    )


def main() -> int:
    """Run it, print the table and what is broken. 1 when anything is."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--slots", type=int, default=24, help="fewer make larger packs")
    parser.add_argument("--pack", default="off", help="off, auto, or a number")
    parser.add_argument("--pack-parallel", type=int, default=1, help="tasks of a pack at once")
    parser.add_argument("--transport", default="ymq", choices=["ymq", "zmq"])
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    print(f"seed {arguments.seed}, logs in {folder}", flush=True)
    with LocalCluster(state_dir=folder / "cluster", transport=arguments.transport) as cluster:
        settings = {
            "max_concurrent_jobs": arguments.slots,
            "pack": arguments.pack,
            "pack_parallel": arguments.pack_parallel,
        }
        soak = Soak(cluster, folder, arguments.seed, settings)
        try:
            soak.run(arguments.minutes * 60)
        finally:
            broken = soak.stop()
    findings = soak.findings() + broken
    if arguments.json:
        report = {"seed": arguments.seed, "broken": findings, "rounds": [asdict(one) for one in soak.rounds]}
        arguments.json.write_text(json.dumps(report, indent=1))
    names = ("tasks", "right", "errors", "cancelled", "lost_by_scaler", "unanswered", "twice", "late")
    sums = {name: sum(getattr(one, name) for one in soak.rounds) for name in names}
    print(*(sentence for one in soak.rounds for sentence in one.refused_starts), sep="\n")
    print(sums, *findings, sep="\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
