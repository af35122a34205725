"""The selftest on a local AWS: every check passes, each fails when its fault is switched on, and nothing is left."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.aws.batch_states import ENDED
from provisioner.selftest.bench import Bench
from provisioner.selftest.model import CheckFailed, SelftestPatience, SelftestReport, SelftestVerdict
from provisioner.selftest.place import SelftestPlace
from provisioner.selftest.recorder import write_recorded
from provisioner.selftest.selftest import check_outcome, run_selftest
from provisioner.selftest.table import CHECKS, SelftestCheck
from tests.support.local_aws.selftest_place import LocalSelftest, local_selftest

pytestmark = pytest.mark.long

SHORT = SelftestPatience(start_s=8.0, job_s=6.0, nap_s=2.0, look_s=0.4)
MANAGERS = ("lease", "takeover", "ambiguous-submit")
"""Checks of managers: an earlier one's fault may be about to end the one that is there."""
MUST_START = ("ambiguous-submit", "cancel-child", "failure", "lease", "log-tail", "metadata", "takeover")
"""Checks whose jobs run in spite of the fault: that is waited for as long as a slow machine takes."""
CALM = SelftestPatience(start_s=60.0, job_s=40.0, nap_s=4.0, look_s=0.2)


@pytest.fixture(scope="module")
def world() -> Iterator[LocalSelftest]:
    with local_selftest() as made:
        yield made


def bench_of(place: SelftestPlace, patience: SelftestPatience, record: Path | None = None) -> Bench:
    return Bench(
        place.target,
        place.clients,
        place.environ,
        patience=patience,
        make_clients=place.clients_with,
        config=Path("no-such-file"),
        record=record,
    )


# ---- the whole run


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("answers")


@pytest.fixture(scope="module")
def report(world: LocalSelftest, recorded: Path) -> SelftestReport:
    """Of a whole run, before any fault is switched on."""
    return run_selftest(bench_of(world.place, CALM, recorded), CHECKS, lambda outcome: None)


def test_every_check_passes_with_evidence_time_and_cost(report: SelftestReport) -> None:
    assert [one for one in report.outcomes if one.verdict is not SelftestVerdict.PASS] == []
    assert [one.check for one in report.outcomes] == [check.name for check in CHECKS]
    assert all(one.evidence and one.seconds > 0 and one.usd > 0 for one in report.outcomes)
    assert report.passed


def test_nothing_is_left(report: SelftestReport, world: LocalSelftest) -> None:
    target, clients = world.place.target, world.place.clients
    below = {"Bucket": target.bucket, "Prefix": f"{target.s3_prefix}/{report.manager_id}/"}
    filters = [{"name": "JOB_NAME", "values": [f"{report.manager_id}_*"]}]
    jobs = clients.listing("batch", "list_jobs", "jobSummaryList", {"jobQueue": target.job_queue, "filters": filters})
    roles = clients.listing("iam", "list_roles", "Roles", {})
    assert clients.listing("s3", "list_objects_v2", "Contents", below) == []
    assert jobs
    assert {job["status"] for job in jobs} <= ENDED
    assert [role["RoleName"] for role in roles if report.manager_id in role["RoleName"]] == []


def test_the_engines_answers_are_recorded_in_the_form_of_the_recorded_ones(
    report: SelftestReport, recorded: Path, tmp_path: Path
) -> None:
    write_recorded(recorded, tmp_path, {"scaler-batch": "team"}, "a test")
    found = json.loads((tmp_path / "batch" / "DescribeJobQueues.json").read_text())
    assert found["sources"] == ["a test"]
    assert found["exchanges"][0]["answer"]["jobQueues"][0]["jobQueueName"] == "team-queue"
    assert "scaler-batch-queue" not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))


# ---- each check under its fault


def drifted(world: LocalSelftest) -> None:
    """Somebody changed the environment."""
    world.bound_vcpus(9)


FAULTS: dict[str, tuple[str | Callable[[LocalSelftest], None], str]] = {
    "plan-fresh": (drifted, "maxvCpus"),
    "plan-used": (drifted, "maxvCpus"),
    "single-inline": ("corrupt-result:1", "A task gave"),
    "single-s3": ("truncate-result:1", "A task gave"),
    "array-inline": ("oom:1", "A task gave"),
    "array-s3": ("start-failure:1", "A task gave"),
    "failure": ("oom:1", "expected ValueError"),
    "log-tail": ("error:logs.GetLogEvents:403", "scaler-batch logs ended with 1"),
    "metadata": ("open-metadata", "the-instances-role"),
    "missing-key": ("error:s3.GetObject:403:match=*/missing", "AccessDenied"),
    "conditional-put": ("ignore-conditions:1:match=*/condition", "S3 wrote over"),
    "latency-cold": ("no-capacity:1", "a job that started: not within"),
    "latency-warm": ("error:SubmitJob:403", "a job that started: not within"),
    "cancel-child": ("error:TerminateJob:403", "not confirmed"),
    "lease": ("ignore-conditions:1:match=*/lease", "second manager"),
    "takeover": ("error:s3.GetObject:403:match=*/lease", "A task gave"),
    "ambiguous-submit": ("lag:600s", "a job of the check in ListJobs: not within"),
}
"""The fault of each check, and words of the evidence: it fails for that reason and for no other."""


@pytest.fixture(scope="module")
def bench(world: LocalSelftest) -> Iterator[Bench]:
    made = bench_of(world.place, SHORT)
    made.start()
    yield made
    world.aws.clear_faults()
    assert made.clean()[1] == []


@pytest.fixture
def faulty(bench: Bench, world: LocalSelftest) -> Iterator[Bench]:
    """The bench that all share, without the fault before and after; a manager that fell to one is replaced."""
    with suppress(CheckFailed):
        assert bench.client
    yield bench
    bench.patience = SHORT
    world.aws.clear_faults()
    world.bound_vcpus(world.vcpus)


@pytest.mark.parametrize(
    "check", [one for name in FAULTS for one in CHECKS if one.name == name], ids=lambda one: one.name
)
def test_a_check_fails_under_its_fault(check: SelftestCheck, faulty: Bench, world: LocalSelftest) -> None:
    fault, words = FAULTS[check.name]
    if check.name in MANAGERS:
        renew_manager(faulty)
    if check.name in MUST_START:
        faulty.patience = dataclasses.replace(SHORT, start_s=CALM.start_s)
    if isinstance(fault, str):
        world.aws.fault(fault)
    else:
        fault(world)
    outcome = check_outcome(faulty, check)
    assert outcome.verdict is SelftestVerdict.FAIL
    assert words in outcome.evidence


def renew_manager(bench: Bench) -> None:
    """Start another one, and return when it works."""
    bench.stop_engine()
    tasks = bench.client.submit("square", [[3]])
    assert bench.client.collect(tasks, CALM.start_s) == [{"value": 9}]


def test_every_check_has_its_fault() -> None:
    assert set(FAULTS) == {check.name for check in CHECKS}
