"""The doctor and the diagnosis on the local AWS, where jobs wait as they do on AWS."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.diagnosis.diagnose import Diagnoser
from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus
from provisioner.clients import Clients
from provisioner.doctor.doctor import Doctor, DoctorRequest
from provisioner.doctor.reads import ClientReads
from provisioner.local.aws import LocalAWS
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import REGION
from tests.support.provisioner.stacks import apply

pytestmark = pytest.mark.long

PATIENCE_S = 30
SPEC = ProvisionSpec(image="worker:1")


@dataclass
class Starved:
    """An account in which EC2 has no capacity, and the jobs that wait there, in their order."""

    clients: Clients
    jobs: list[str]

    def diagnoser(self) -> Diagnoser:
        return Diagnoser(ClientReads(self.clients), calls_per_s=100)


@pytest.fixture(scope="module")
def starved() -> Iterator[Starved]:
    with LocalAWS(faults=["no-capacity:1"]) as aws:
        clients = Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)
        apply(SPEC, clients)
        job = {"jobName": "price", "jobQueue": "scaler-batch-queue", "jobDefinition": "scaler-batch-job"}
        jobs = [clients.call("batch", "submit_job", job)["jobId"] for _ in range(3)]
        await_reason(clients, jobs[0])
        yield Starved(clients, jobs)


def await_reason(clients: Clients, job: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not clients.call("batch", "describe_jobs", {"jobs": [job]})["jobs"][0].get("statusReason"):
        assert time.monotonic() < deadline, "the job got no reason"
        time.sleep(0.05)


def test_what_blocks_the_queue_is_found_without_naming_a_job(starved: Starved) -> None:
    found = starved.diagnoser().diagnose("scaler-batch-queue")
    assert starved.jobs[0] in found.subject
    assert (found.verdict, found.certainty) == ("blocked by capacity", "may pass: less than ten minutes")
    assert found.reason.startswith("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")


def test_a_job_behind_it_waits_its_turn(starved: Starved) -> None:
    found = starved.diagnoser().diagnose("", starved.jobs[2])
    assert found.verdict == "waiting its turn"
    assert "position 3" in found.text
    assert found.remedies[0].command.endswith(f"--job {starved.jobs[0]}")


def test_a_queue_that_was_disabled_says_so_first(starved: Starved) -> None:
    change = {"jobQueue": "scaler-batch-queue", "state": "DISABLED"}
    starved.clients.call("batch", "update_job_queue", change)
    try:
        assert starved.diagnoser().diagnose("", starved.jobs[2]).verdict == "the queue is disabled"
    finally:
        starved.clients.call("batch", "update_job_queue", {**change, "state": "ENABLED"})


def test_the_account_s_quota_is_held_against_max_vcpus(starved: Starved, tmp_path: Path) -> None:
    asked = DoctorRequest(region=REGION, prefix="scaler-batch", config=tmp_path / "config.json", max_vcpus=5000)
    findings = Doctor(clients=starved.clients, request=asked, sleep=lambda seconds: None).examine()
    quota = next(one for one in findings if one.check.id == CheckId.QUOTAS)
    assert quota.check.result is CheckStatus.WARN
    assert "--quota-code L-1216C47A --desired-value 5000" in quota.fixes[0].command


def test_the_default_vpc_has_its_way_out(starved: Starved, tmp_path: Path) -> None:
    asked = DoctorRequest(region=REGION, prefix="scaler-batch", config=tmp_path / "config.json")
    findings = Doctor(clients=starved.clients, request=asked, sleep=lambda seconds: None).examine()
    assert [one.check.id for one in findings if one.failed] == []
