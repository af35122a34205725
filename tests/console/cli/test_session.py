"""The commands for a running engine as a person and a program meet them: as processes, with an engine to talk to."""

from __future__ import annotations

import json
import math
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from engine.telemetry.endpoints import Endpoint, claim_folder
from engine.telemetry.schema.light import REMEDIES
from engine.telemetry.schema.messages import (
    CallStats,
    CancelJobs,
    Done,
    Drain,
    FullState,
    GetFullState,
    GetJobPage,
    GetLogs,
    Hello,
    JobState,
    Link,
    LinkId,
    LogLine,
    LogPage,
    LogStatus,
    Quota,
    Refusal,
    RouteStats,
)
from tests.support.cases import first_now
from tests.support.console.command_line import command_line, modules_loaded_by
from tests.support.engine.telemetry_samples import NOW, row, snapshot, task_id
from tests.support.engine.telemetry_stand_in import StandIn
from tests.support.socket_places import short_folder

DEADLINE = 20.0
COMMANDS = ("status", "jobs", "logs", "cancel", "drain", "keys")


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def value(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


@pytest.fixture
def engine() -> Iterator[StandIn]:
    with claim_folder("wm-1") as claimed:
        engine = StandIn(Endpoint.ipc(claimed.folder))
        claimed.write_info(("wm-1",), "0.1.0")
        yield engine
        engine.close()


def run(*words: str, engine: StandIn | None = None) -> Result:
    """The command's outcome; the engine takes its turns until then."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(command_line(*words), stdin=subprocess.DEVNULL, stdout=out, stderr=err, text=True)
        deadline = time.monotonic() + DEADLINE
        while child.poll() is None and time.monotonic() < deadline:
            if engine is not None:
                engine.take_turn()
            time.sleep(0.002)
        child.kill()
        for file in (out, err):
            file.seek(0)
        return Result(child.wait(), out.read(), err.read())


@pytest.mark.parametrize("command", first_now([command for command in COMMANDS if command != "keys"]))
def test_without_an_engine_a_command_fails_in_one_sentence(command: str) -> None:
    words = {"cancel": ("--yes", "ab"), "drain": ("--yes",)}.get(command, ())
    done = run(command, *words)
    assert (done.code, done.out) == (1, "")
    assert "no engine runs here" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", first_now(COMMANDS))
def test_help_loads_neither_a_screen_nor_aws_nor_sockets(command: str) -> None:
    assert modules_loaded_by(command, "--help").isdisjoint({"textual", "boto3", "botocore", "scaler", "zmq"})


def test_status_says_what_an_engine_does(engine: StandIn) -> None:
    done = run("status", engine=engine)
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert ["RUNNING", "3", "0/s"] in lines
    assert ["SUCCEEDED", "7", "0.5/s"] in lines
    assert ["slots", "3", "of", "100"] in lines
    assert "\x1b" not in done.out


def test_status_for_programs_is_the_snapshot(engine: StandIn) -> None:
    found = run("status", "--json", engine=engine).value
    assert (found["version"], found["name"], found["engine"]) == (1, "wm-1", "e1")
    [manager] = found["snapshot"]["managers"]
    assert manager["counts"] == {"RUNNING": 3, "SUCCEEDED": 7}
    assert found["light"] == "ok"


@pytest.mark.parametrize(
    ("link", "code", "says"),
    [
        (Link("scheduler", False, NOW - 40, "no echo", id=LinkId.SCHEDULER), 4, "down: scheduler for 40s, no echo"),
        (Link("S3", True, NOW, "slow", id=LinkId.S3, degraded=True), 3, "degraded: S3 for 0s, slow"),
    ],
)
def test_status_exits_as_the_light_says(engine: StandIn, link: Link, code: int, says: str) -> None:
    engine.answers[GetFullState] = FullState("e1", 1, snapshot(links=(link,)))
    done = run("status", engine=engine)
    assert (done.code, done.err) == (code, "")
    assert says in done.out
    assert REMEDIES[link.id] in done.out


@pytest.mark.long
def test_percentiles_of_nothing_are_unknown_and_no_zero(engine: StandIn) -> None:
    told = snapshot(routes=(RouteStats("s3", jobs=5),), calls=(CallStats("SubmitJob", calls=9),))
    engine.answers[GetFullState] = FullState("e1", 1, told)
    assert ["s3", "5", "0B", "0B", "–"] in [line.split() for line in run("status", engine=engine).out.splitlines()]
    [manager] = run("status", "--json", engine=engine).value["snapshot"]["managers"]
    assert (manager["routes"][0]["p95_bytes"], manager["calls"][0]["p99_ms"]) == (None, None)


def test_jobs_are_filtered_ordered_and_limited_by_the_engine(engine: StandIn) -> None:
    engine.rows = {
        task_id(number): row(number, JobState.FAILED if number % 2 else JobState.RUNNING, raw_bytes=number)
        for number in range(9)
    }
    words = ("--filter", "=FAILED", "--sort", "size", "--limit", "2", "--manager", "wm-1", "--json")
    found = run("jobs", *words, engine=engine).value
    assert [job["raw_bytes"] for job in found["jobs"]] == [7, 5]
    assert (found["matching"], found["total"], found["version"]) == (4, 9, 1)
    assert set(found["jobs"][0]) == set(row().__struct_fields__)
    assert sorted(engine.asked, key=repr) == [GetJobPage("=FAILED", "size", False, "wm-1", 0, 2), Hello()]


def test_jobs_in_a_pipe_are_plain_lines_with_whole_ids(engine: StandIn) -> None:
    engine.rows = {task_id(1): row(1, function="price\x1b[31m\n", reason="out of \x07memory")}
    done = run("jobs", engine=engine)
    head, line = done.out.splitlines()
    assert head.split()[:3] == ["task", "state", "for"]
    assert line.startswith(f"{task_id(1)}  RUNNING")
    assert not any(character in done.out for character in "\x1b\x07")


@pytest.mark.parametrize("words", [("--filter", "=FLYING"), ("--sort", "beauty")])
def test_a_wrong_question_is_wrong_usage(engine: StandIn, words: tuple[str, ...]) -> None:
    done = run("jobs", *words, engine=engine)
    assert done.code == 2
    assert words[1] in done.err


@pytest.mark.long
def test_an_unanswered_refusal_is_a_failure(engine: StandIn) -> None:
    engine.answers[GetJobPage] = Refusal("ask again tomorrow")
    done = run("jobs", engine=engine)
    assert (done.code, done.err) == (1, "scaler-batch: ask again tomorrow\n")


def page(*texts: str, after: int = -1, kind: LogStatus = LogStatus.STREAMING, detail: str = "") -> LogPage:
    lines = tuple(LogLine(seq, NOW, task_id(1), text) for seq, text in enumerate(texts, after + 1))
    return LogPage("w1", lines, after + len(texts), 0, 1.0, 1, kind.describe(detail), kind)


def test_logs_are_of_the_tasks_that_were_named_by_their_beginning(engine: StandIn) -> None:
    engine.rows = {task_id(number): row(number) for number in (0x1F, 0x2F)}
    engine.answers[GetLogs] = page(kind=LogStatus.EMPTY, detail="nothing was written")
    done = run("logs", task_id(0x1F)[:31] + "f", "--grep", "Error", engine=engine)
    assert (done.code, done.out) == (0, "")
    assert "nothing was written" in done.err
    assert GetLogs((task_id(0x1F),), "Error") in engine.asked


@pytest.mark.long
def test_a_beginning_that_fits_several_tasks_is_wrong_usage(engine: StandIn) -> None:
    engine.rows = {task_id(number): row(number) for number in (1, 2)}
    assert run("logs", "0000", engine=engine).code == 2
    assert run("logs", "ffff", engine=engine).code == 1
    assert run("logs", "price", engine=engine).code == 2


@pytest.mark.long
def test_log_lines_are_text_whatever_they_hold(engine: StandIn) -> None:
    class Pages(dict[type, Any]):
        """One page of lines, then none."""

        def get(self, kind: type, default: Any = None) -> Any:
            if kind is not GetLogs:
                return default
            last = [request for request in engine.asked if isinstance(request, GetLogs)][-1]
            return page("old\rok \x1b[2J\r", "zwei\tdrei") if last.after < 0 else page(after=1, kind=LogStatus.EMPTY)

    engine.answers = Pages()
    done = run("logs", engine=engine)
    assert done.code == 0
    first, second = done.out.splitlines()
    assert first.endswith(" ok ")
    assert second.endswith("zwei    drei")
    as_json = run("logs", "--json", engine=engine).out.splitlines()
    assert json.loads(as_json[0]) == {"at": NOW, "task_id": task_id(1), "text": "old\rok \x1b[2J\r"}


class LogOfThirty(dict[type, Any]):
    """A job that ended, with 30 lines, one a second; the newest ten are read at first."""

    def __init__(self, engine: StandIn) -> None:
        super().__init__()
        self._engine, self._asked = engine, 0

    def get(self, kind: type, default: Any = None) -> Any:
        if kind is not GetLogs:
            return default
        request = [each for each in self._engine.asked if isinstance(each, GetLogs)][-1]
        newest = LogPage("w1", _seconds(20, 30), 29, 0, None, 1, "streaming", LogStatus.STREAMING, True, is_done=True)
        if request.before is None:
            return newest if request.after < 0 else replace(newest, lines=(), next=29)
        self._asked += 1
        end = math.ceil(request.before - NOW - 1e-6)
        older = replace(newest, lines=_seconds(max(0, end - 7), end), earlier=end > 7)
        return older if self._asked % 2 else replace(older, lines=(), pending=True)


def _seconds(begin: int, end: int) -> tuple[LogLine, ...]:
    return tuple(LogLine(n, NOW + n, task_id(1), f"second {n}") for n in range(begin, end))


def printed_seconds(done: Result) -> list[int]:
    assert done.code == 0, done.err
    return [int(line.rpartition(" ")[2]) for line in done.out.splitlines()]


@pytest.mark.long
def test_a_log_begins_at_its_newest_lines_and_says_so_or_at_the_beginning(engine: StandIn) -> None:
    engine.answers = LogOfThirty(engine)
    newest = run("logs", engine=engine)
    assert printed_seconds(newest) == list(range(20, 30))
    assert "are not shown: --all" in newest.err
    whole = run("logs", "--all", engine=engine)
    assert (printed_seconds(whole), whole.err) == (list(range(30)), "")


@pytest.mark.long
def test_a_log_is_read_back_to_a_time(engine: StandIn) -> None:
    engine.answers = LogOfThirty(engine)
    at = datetime.fromtimestamp(NOW + 12).isoformat()
    assert printed_seconds(run("logs", "--since", at, engine=engine)) == list(range(12, 30))
    assert not [each for each in engine.asked if isinstance(each, GetLogs) and (each.before or NOW + 99) < NOW + 12]
    assert printed_seconds(run("logs", "--all", "--grep", "SECOND 2", engine=engine)) == [2, *range(20, 30)]
    assert run("logs", "--since", "yesterday", engine=engine).code == 2


@pytest.mark.long
def test_the_log_of_a_job_that_ended_is_not_waited_for(engine: StandIn) -> None:
    engine.answers = LogOfThirty(engine)
    run("logs", engine=engine)
    assert len([each for each in engine.asked if isinstance(each, GetLogs)]) == 1


@pytest.mark.long
def test_logs_that_may_not_be_read_are_a_failure(engine: StandIn) -> None:
    engine.answers[GetLogs] = page(kind=LogStatus.DENIED, detail="logs:GetLogEvents")
    done = run("logs", engine=engine)
    assert (done.code, done.err) == (1, "scaler-batch: no log lines: denied: logs:GetLogEvents\n")


def test_cancel_ends_exactly_what_is_alive_and_fits(engine: StandIn) -> None:
    engine.rows = {
        task_id(number): row(number, state, function=name)
        for number, (state, name) in enumerate(
            [
                (JobState.RUNNING, "price"),
                (JobState.SUCCEEDED, "price"),
                (JobState.QUEUED, "price"),
                (JobState.RUNNING, "x"),
            ]
        )
    }
    done = run("cancel", "--filter", "fn:price", "--yes", engine=engine)
    assert (done.code, done.out) == (0, "cancelled 2\n")
    [request] = [each for each in engine.asked if isinstance(each, CancelJobs)]
    assert set(request.task_ids) == {task_id(0), task_id(2)}


def test_what_could_not_be_cancelled_is_said_and_fails(engine: StandIn) -> None:
    engine.rows = {task_id(1): row(1)}
    engine.answers[CancelJobs] = Done("0 of 1 cancelled", {task_id(1): "it has ended"})
    done = run("cancel", task_id(1), "--yes", "--json", engine=engine)
    assert done.code == 1
    assert done.value == {
        "version": 1,
        "asked": [task_id(1)],
        "refused": {task_id(1): "it has ended"},
        "text": "0 of 1 cancelled",
    }


def test_nothing_is_cancelled_unasked(engine: StandIn) -> None:
    engine.rows = {task_id(1): row(1)}
    done = run("cancel", task_id(1), engine=engine)
    assert done.code == 2
    assert "--yes" in done.err
    assert run("cancel", "--yes", engine=engine).code == 2, "neither ids nor a filter: surely not all of them"
    assert not any(isinstance(request, CancelJobs) for request in engine.asked)


def test_drain_says_what_it_did(engine: StandIn) -> None:
    engine.answers[Drain] = Done("draining: 3 jobs may finish")
    done = run("drain", "--mode", "detach", "--manager", "wm-1", "--yes", engine=engine)
    assert (done.code, done.out) == (0, "draining: 3 jobs may finish\n")
    assert Drain("wm-1", "detach") in engine.asked
    assert run("drain", engine=engine).code == 2


def test_keys_are_made_from_the_command_line(tmp_path: Path) -> None:
    folder, file = tmp_path / "keys", tmp_path / "anna.json"
    assert run("keys", "engine", "--out", str(folder)).code == 0
    made = run("keys", "client", "anna", "--role", "view", "--engine-keys", str(folder), "--out", str(file), "--json")
    assert made.value["role"] == "view"
    assert file.stat().st_mode & 0o777 == 0o600
    again = run("keys", "engine", "--out", str(folder))
    assert again.code == 2
    assert "exists" in again.err


def test_an_engine_elsewhere_needs_keys() -> None:
    done = run("status", "--engine", "tcp://127.0.0.1:1")
    assert done.code == 2
    assert "--keys" in done.err


@pytest.mark.long
def test_whoever_closes_the_pipe_gets_no_traceback(engine: StandIn) -> None:
    engine.rows = {task_id(number): row(number) for number in range(4000)}
    read, write = os.pipe()
    with tempfile.TemporaryFile("w+") as err:
        child = subprocess.Popen(
            command_line("jobs", "--limit", "4000"), stdin=subprocess.DEVNULL, stdout=write, stderr=err
        )
        os.close(write)
        os.close(read)
        while child.poll() is None:
            engine.take_turn()
            time.sleep(0.002)
        err.seek(0)
        assert "Traceback" not in err.read()


def test_everything_that_a_manager_tells_is_shown(engine: StandIn) -> None:
    told = snapshot(
        routes=(RouteStats("s3", jobs=5, raw_bytes=2**20, wire_bytes=2**19, p95_bytes=300),),
        calls=(CallStats("SubmitJob", calls=9),),
        quotas=(Quota("concurrency", 3, 100, "slots", "engine", NOW), Quota("vCPUs", None, None, "vCPU", "AWS", NOW)),
        links=(Link("scheduler", False, NOW - 60, "tcp://10.0.0.1:8516 refused"),),
        paused="credentials expired",
        draining=True,
        oldest_runnable_at=NOW - 900,
    )
    engine.answers[GetFullState] = FullState("e1", 1, told)
    out = run("status", engine=engine).out
    for text in ("s3", "1.0M", "3/100 slots", "–/– vCPU", "down", "refused", "credentials expired", "15m", "draining"):
        assert text in out


@pytest.mark.long
def test_jobs_that_never_stop_writing_are_no_reason_to_go_on_for_ever(engine: StandIn) -> None:
    engine.answers[GetLogs] = page("and on", "and on")
    started = time.monotonic()
    assert run("logs", engine=engine).code == 0
    assert time.monotonic() - started < DEADLINE
