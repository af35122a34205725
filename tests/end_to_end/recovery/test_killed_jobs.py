"""A packed job that is killed at an entry, in any phase: that entry's task fails alone, its mates are called once."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import (
    Engine,
    await_condition,
    keys_left,
    nothing_of_tasks_left,
    running_client,
    running_engine,
)

TRIES: Final = 5
PUT: Final = "PutObject:match=*/results/*"
RUNNER: Final = """
import batch_job_runner, pathlib
from batch_job_pack import segments
def main(argv, environ, make_client):
    rhythm = pathlib.Path({rhythm!r})
    if rhythm.exists():
        announced, latest_s = rhythm.read_text().split()
        segments.GATHER_S = 1000.0
        segments.SEGMENT_RESULTS, segments.LATEST_S = int(announced), float(latest_s)
    return batch_job_runner.main(argv, environ, make_client)
"""
CLIENT: Final = """
import json, pathlib
class Loading:
    def __init__(self, case, waits_after, burns):
        self.case, self.waits_after, self.burns = pathlib.Path(case), waits_after, burns
    def __setstate__(self, state):
        import time
        self.__dict__ = state
        if self.called() == self.waits_after:
            self.wait_once()
        begun = time.process_time()
        while time.process_time() < begun + self.burns:
            pass
    def called(self):
        return len(list(self.case.glob("call-*")))
    def wait_once(self):
        import time
        if not (self.case / "waits").exists():
            (self.case / "waits").touch()
            time.sleep(600)
with Client(address=ADDRESS) as client:
    for line in sys.stdin:
        case, tasks, loading, running, pause, burns = json.loads(line)
        loaded = Loading(case, loading, burns)
        def call(number):
            import time
            place = loaded.called()
            with open(loaded.case / f"call-{number}", "a") as calls:
                calls.write(str(place))
            if place == running:
                loaded.wait_once()
            time.sleep(pause)
            return number
        futures = [client.submit(call, number) for number in range(tasks)]
        errors = [one.exception(timeout=120) for one in futures]
        print(json.dumps([error and f"{type(error).__name__}: {error}" for error in errors]), flush=True)
"""


@dataclass(frozen=True)
class Case:
    """How a job is killed, and what comes of its tasks, in the order of their first calls, those without one behind.

    Of each how often it was called, with `!` where it fails. With `loading` the load waits that comes after so many
    calls, with `running` the task at that place waits while it runs, and the fault strikes then, once there is an
    object with results whose name begins as `written`. Each task takes `pause` seconds, and its load `burns` of CPU.
    """

    fault: str
    expected: str
    loading: int | None = None
    running: int | None = None
    pause: float = 0.25
    burns: float = 0.0
    written: str = ""
    error: str = "RuntimeError: the job failed (status reason: Essential container in task exited; exit code: 137"

    @property
    def waits(self) -> bool:
        """The job comes to where it is killed, and waits there."""
        return self.loading is not None or self.running is not None


BY_THEMSELVES: Final = {
    "before the first": Case("kill-before:s3:x1", "1 1 0!"),
    **{f"loading {n}": Case("kill:1:x1", "1 1 0!", loading=n) for n in range(3)},
    "running 0": Case("kill:1:x1", "1! 1 1", running=0),
    "running 1": Case("kill:1:x1", "1 1! 1", running=1),
    "running 2": Case("kill:1:x1", "1 1 1!", running=2),
    "unwritten 0": Case(f"kill-before:{PUT}:x1", "1! 1 1"),
    "unwritten 1": Case(f"kill-before:{PUT}:after=1:x1", "1 1! 1"),
    "unwritten 2": Case(f"kill-before:{PUT}:after=2:x1", "1 1 1!"),
    "written 0": Case(f"kill-after:{PUT}:x1", "1 1 0!"),
    "written 1": Case(f"kill-after:{PUT}:after=1:x1", "1 1 0!"),
    "written 2": Case(f"kill-after:{PUT}:after=2:x1", "1 1 1"),
    "the template loading": Case("kill:1:x1", "1 1 0!", loading=1, burns=0.1),
    "forked from the template": Case("kill:1:x1", "1 1 1!", running=2, burns=0.1),
    "no memory": Case("oom:1:x1", "1 1! 1", running=1, error="MemoryError: the job ran out of memory"),
    "host lost": Case("spot:1:x1", "1 2 1", running=1),  # another attempt begins at the first hole
}
TOGETHER: Final = {
    "running 1": Case("kill:1:x1", "1 1! 1 0!", running=1, pause=0.0),
    "running 2": Case("kill:1:x1", "1 1! 1! 1", running=2, pause=0.0),
    "running 3": Case("kill:1:x1", "1 1 1 1!", running=3, pause=0.0),
    "loading 1": Case("kill:1:x1", "1 1 0! 0!", loading=1, pause=0.0),
    "unwritten 1": Case(f"kill-before:{PUT}:after=1:x1", "1 1! 1! 1", pause=0.0),
    "written 0": Case(f"kill-after:{PUT}:x1", "1 1 0! 0!", pause=0.0),
    "written 1": Case(f"kill-after:{PUT}:after=1:x1", "1 1 1 0!", pause=0.0),
    "host lost": Case("spot:1:x1", "1 2 2 1", running=2, pause=0.0),
}
"""The first result is written alone, those of the next two entries together: the job announces these by each."""
BESIDE: Final = {"running 2 for long": Case("kill:1:x1", "1 1 1! 1", running=2, pause=0.0, written="(1-1|2-0)-3-")}
"""All entries were announced. That is taken back while the third task runs on: with the second result, or after it."""


class Bench:
    """A cluster with an engine, and a client that sends the tasks of one case after the other."""

    def __init__(self, cluster: LocalCluster, engine: Engine, client: subprocess.Popen[str], folder: Path) -> None:
        self._cluster = cluster
        self._engine = engine
        self._client = client
        self._folder = folder
        self._runs = 0
        self._seen = 0
        """Characters of the engine's log that are of earlier cases."""

    def run_all(self, cases: Mapping[str, Case], tasks: int) -> dict[str, str]:
        """What came of the tasks of each case."""
        return {name: self._run(case, tasks) for name, case in cases.items()}

    def _run(self, case: Case, tasks: int) -> str:
        """On a busy machine tasks may come so late that they get a job of their own: then it is another case."""
        for _ in range(TRIES):
            self._seen = len(self._engine.log)
            found = self._try(case, tasks)
            if self._sent() == tasks:
                return found
        raise AssertionError(f"{tasks} tasks that come together don't go together\n{self._engine.log}")

    def _try(self, case: Case, tasks: int) -> str:
        self._runs += 1
        folder = self._folder / f"case-{self._runs}"
        folder.mkdir()
        # a runner that still ends has its task's result out, and would be who is killed
        await_condition(lambda: self._cluster.aws.jobs()["running"] == 0, 60, lambda: self._engine.log)
        if case.written:
            await_condition(lambda: nothing_of_tasks_left(self._cluster), 60, lambda: self._engine.log)
        if not case.waits:
            self._cluster.aws.fault(case.fault)
        order = [str(folder), tasks, case.loading, case.running, case.pause, case.burns]
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        print(json.dumps(order), file=self._client.stdin, flush=True)
        if case.waits:
            await_condition((folder / "waits").exists, 60, lambda: self._engine.log)
            if self._sent() == tasks:
                await_condition(lambda: self._has_written(case.written), 60, lambda: self._engine.log)
            self._cluster.aws.fault(case.fault)
        errors = json.loads(self._client.stdout.readline())
        assert [one["struck"] for one in self._cluster.aws.faults()] == [1], self._engine.log
        self._cluster.aws.clear_faults()
        assert all(error is None or error.startswith(case.error) for error in errors), errors
        return outcome(folder, errors)

    def _sent(self) -> int:
        """How many tasks of the case went first, together."""
        sent = re.search(r"submitted \S+ \((\d+) tasks?,", self._engine.log[self._seen :])
        return int(sent[1]) if sent else 0

    def _has_written(self, name: str) -> bool:
        return any(re.search(f"/{name}", key) for key in keys_left(self._cluster, "wm-test"))


def outcome(folder: Path, errors: Sequence[str | None]) -> str:
    """As `Case` says it. Each call of a task wrote how many others were called before it."""
    calls = [(folder / f"call-{number}") for number in range(len(errors))]
    places = [one.read_text() if one.exists() else "" for one in calls]
    found = sorted((not called, called, error is not None) for called, error in zip(places, errors, strict=True))
    return " ".join(f"{len(called)}{'!' * has_failed}" for _, called, has_failed in found)


@contextmanager
def bench(folder: Path, log: Path) -> Iterator[Bench]:
    program = folder / "runner.py"
    program.write_text(RUNNER.format(rhythm=str(folder / "rhythm")))
    with (
        LocalCluster(state_dir=folder / "cluster", program=f"{program}:main") as cluster,
        running_engine(cluster, log, max_concurrent_jobs=1, pack=4) as engine,
        running_client(cluster, CLIENT) as client,
    ):
        yield Bench(cluster, engine, client, folder)
        await_condition(lambda: nothing_of_tasks_left(cluster), 60, lambda: engine.log)


@pytest.mark.long
def test_of_a_job_that_is_killed_the_entry_that_it_was_at_fails_and_its_mates_are_called_once(
    log: Path, tmp_path: Path
) -> None:
    with bench(tmp_path, log) as killed:
        alone = killed.run_all(BY_THEMSELVES, 3)
        rhythm = tmp_path / "rhythm"
        rhythm.write_text("2 1000")
        together = killed.run_all(TOGETHER, 4)
        rhythm.write_text("3 0.1")
        beside = killed.run_all(BESIDE, 4)
    assert alone == {name: case.expected for name, case in BY_THEMSELVES.items()}
    assert together | beside == {name: case.expected for name, case in (TOGETHER | BESIDE).items()}
