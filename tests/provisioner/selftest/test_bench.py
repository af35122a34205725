"""The selftest's bench on AWS's own times: listings are late, and a job belongs to the check that made it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from provisioner.clients import Clients, Document
from provisioner.errors import ProvisionError
from provisioner.selftest.bench import Bench
from provisioner.selftest.model import (
    CheckFailed,
    CheckSkipped,
    SelftestOutcome,
    SelftestPatience,
    SelftestTarget,
    SelftestVerdict,
)
from provisioner.selftest.selftest import run_selftest
from provisioner.selftest.table import SelftestCheck

NOW_S = 1_800_000_000


class LateBatch(Clients):
    """Batch whose listings show what a test lets them show; its clock stands at `NOW_S`."""

    def __init__(self) -> None:
        super().__init__("us-east-1")
        self.jobs: dict[str, Document] = {}
        self.listed: set[str] = set()
        self.ended: list[str] = []

    def add(self, job_id: str, created_s: float, *, listed: bool = True) -> None:
        self.jobs[job_id] = {"jobId": job_id, "createdAt": int(created_s * 1000), "status": "SUCCEEDED"}
        self.listed |= {job_id} if listed else set()

    def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Document:
        headers = {"date": formatdate(NOW_S, usegmt=True)}
        if operation == "terminate_job":
            self.jobs[parameters["jobId"]]["status"] = "FAILED"
            self.ended.append(parameters["jobId"])
        found = [self.jobs[job_id] for job_id in parameters.get("jobs", ())]
        assert len(found) <= 100, "AWS describes no more at once"
        return {"jobs": found, "jobQueues": [], "ResponseMetadata": {"HTTPHeaders": headers}}

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        """As a job was some seconds ago: it runs."""
        found = [job for job_id, job in self.jobs.items() if job_id in self.listed]
        return [{**job, "status": "RUNNING"} for job in found] if service == "batch" else []


class Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def batch() -> LateBatch:
    return LateBatch()


@pytest.fixture
def bench(batch: LateBatch) -> Bench:
    clock = Clock()
    target = SelftestTarget("us-east-1", "queue", "definition", "bucket")
    return Bench(
        target,
        batch,
        {},
        patience=SelftestPatience(),
        make_clients=lambda credentials: batch,
        config=Path("none"),
        sleep=clock.sleep,
        now=clock.now,
    )


def ids(jobs: list[Document]) -> list[str]:
    return [job["jobId"] for job in jobs]


def test_a_job_of_the_check_before_that_is_listed_only_now_is_not_of_this_one(bench: Bench, batch: LateBatch) -> None:
    batch.add("known", NOW_S - 20)
    batch.add("late", NOW_S - 3, listed=False)
    bench.begin_check()
    batch.listed.add("late")
    batch.add("new", NOW_S + 2)
    assert ids(bench.new_jobs()) == ["new"]


def test_a_job_that_was_listed_before_is_not_of_this_check_in_the_same_second_either(
    bench: Bench, batch: LateBatch
) -> None:
    batch.add("known", NOW_S + 0.1)
    bench.begin_check()
    batch.add("new", NOW_S + 0.2)
    assert ids(bench.new_jobs()) == ["new"]


def test_a_job_that_no_listing_shows_is_waited_for_and_then_told(bench: Bench) -> None:
    bench.begin_check()
    with pytest.raises(CheckFailed, match="a job of the check in ListJobs: not within 90 s"):
        bench.await_jobs()
    assert bench.now() > 90


def test_at_the_end_jobs_are_ended_that_run_whatever_a_late_listing_shows(bench: Bench, batch: LateBatch) -> None:
    for number in range(120):
        batch.add(f"ended-{number}", NOW_S)
    batch.add("runs", NOW_S)
    batch.jobs["runs"]["status"] = "RUNNING"
    cleaned, left = bench.clean()
    assert (batch.ended, left) == (["runs"], [])
    assert cleaned[0] == "1 job that still ran ended"


class IdleBench(Bench):
    """Starts nothing; `remains` is what it can't take away."""

    remains = ""

    def start(self) -> None:
        self.is_cleaned = False

    def clean(self) -> tuple[list[str], list[str]]:
        self.is_cleaned = True
        return ["nothing"], [self.remains] if self.remains else []


@pytest.fixture
def idle(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> IdleBench:
    bench.__class__ = IdleBench
    assert isinstance(bench, IdleBench)
    return bench


def check(run: Callable[[Bench], str]) -> SelftestCheck:
    return SelftestCheck("check", "a claim", run)


def interrupted(bench: Bench) -> str:
    raise KeyboardInterrupt


def unproven(bench: Bench) -> str:
    raise CheckSkipped("No role.")


def outcomes(bench: Bench, *runs: Callable[[Bench], str]) -> list[SelftestOutcome]:
    heard: list[SelftestOutcome] = []
    report = run_selftest(bench, [check(run) for run in runs], heard.append)
    assert list(report.outcomes) == heard
    return heard


def test_an_interrupted_run_takes_everything_away(idle: IdleBench) -> None:
    with pytest.raises(KeyboardInterrupt):
        outcomes(idle, interrupted)
    assert idle.is_cleaned


def test_what_an_interrupted_run_leaves_is_told(idle: IdleBench) -> None:
    idle.remains = "AWS refused iam:DeleteRole."
    with pytest.raises(ProvisionError, match="could not take away everything: AWS refused iam:DeleteRole"):
        outcomes(idle, interrupted)


def test_what_can_not_be_proven_is_no_pass(idle: IdleBench) -> None:
    [outcome] = outcomes(idle, unproven)
    assert (outcome.verdict, outcome.evidence) == (SelftestVerdict.SKIPPED, "No role.")
    assert not run_selftest(idle, [check(unproven)], lambda outcome: None).passed


def test_checks_that_would_begin_after_the_ten_minutes_are_skipped(idle: IdleBench) -> None:
    def slow(bench: Bench) -> str:
        bench.sleep(601)
        return "slow"

    assert [one.verdict for one in outcomes(idle, slow, slow)] == [SelftestVerdict.PASS, SelftestVerdict.SKIPPED]


def test_what_a_run_leaves_is_no_pass(idle: IdleBench) -> None:
    idle.remains = "a job"
    report = run_selftest(idle, [check(lambda bench: "fine")], lambda outcome: None)
    assert (report.left, report.passed) == (("a job",), False)
