"""Every parser of the engine, the diagnosis and the image's registry on AWS's own answers."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import pytest

from engine.aws.batch_jobs import BatchJob
from engine.aws.batch_states import BatchState
from engine.aws.object_store import _parse_listing
from engine.diagnosis.checks.table import CHECKS, Check
from engine.diagnosis.evidence import CheckId, Evidence, Fact
from engine.diagnosis.model import CheckStatus
from engine.diagnosis.reads import Reader
from provisioner.image import registry
from provisioner.plan.queued_jobs import living_jobs
from tests.support.recorded_answers import IMAGE, NOW, STACK, RecordedClients, RecordedReads, answer_of, exchanges

Found = TypeVar("Found")
SINGLE, ARRAY, CHILD = (one.answer["jobs"][0]["jobId"] for one in exchanges("batch", "DescribeJobs")[1:])
CONFIG = {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/usr/bin", "PYTHON_VERSION=3.12.4"]}}


def described(job_id: str) -> BatchJob:
    (document,) = answer_of("batch", "DescribeJobs", jobs=[job_id])["jobs"]
    return BatchJob.parse(document)


def test_a_job_that_waits_tells_what_it_waits_for() -> None:
    job = described(SINGLE)
    assert (job.state, job.is_known, job.index) == (BatchState.RUNNABLE, True, None)
    assert job.status_reason.startswith("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - ")


def test_an_array_counts_its_children_by_state() -> None:
    counts = {state: count for state, count in described(ARRAY).children.items() if count}
    assert counts == {BatchState.RUNNING: 1, BatchState.RUNNABLE: 1}


def test_a_child_that_ended_has_its_exit_code_and_log() -> None:
    job = described(CHILD)
    assert (job.state, job.index, job.container["exitCode"]) == (BatchState.SUCCEEDED, 0, 0)
    assert job.container["logStreamName"].startswith("team-job/default/")


def test_listings_are_parsed_like_descriptions() -> None:
    for state in (BatchState.RUNNABLE, BatchState.PENDING, BatchState.SUCCEEDED):
        (document,) = answer_of("batch", "ListJobs", jobStatus=state.value)["jobSummaryList"]
        assert BatchJob.parse(document).state is state


def test_the_jobs_of_a_queue_are_those_that_have_not_ended() -> None:
    assert {job["jobId"] for job in living_jobs(RecordedClients(), STACK.job_queue)} == {SINGLE, ARRAY}


def test_a_listing_of_keys_is_read_with_its_token() -> None:
    (exchange,) = exchanges("s3", "ListObjectsV2")
    page = _parse_listing(exchange.xml.encode())
    assert [(one.key, one.size) for one in page.objects] == [("scaler-tasks/results/a=b", 812)]
    assert page.next_token == "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="


# ---- the diagnosis


def fetch(url: str) -> bytes:
    return json.dumps(CONFIG).encode()


def gathered(reads: RecordedReads) -> Evidence:
    """By every check's own reading, in their order, whether or not a diagnosis would need it."""
    reader = Reader(reads, lambda: NOW, lambda seconds: None, fetch=fetch)
    evidence = Evidence(queue_name=STACK.job_queue, job_id=SINGLE, now=NOW)
    for check in CHECKS:
        if check.read is not None:
            evidence = check.read(reader, evidence)
    return evidence


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
@pytest.mark.parametrize("when", ["", "scaled"], ids=["provisioned", "scaled"])
def test_each_check_of_the_diagnosis_reads_and_judges_an_answer(check: Check[Any], when: str) -> None:
    found = check.result(gathered(RecordedReads(when)), "not read")
    assert found.result not in (CheckStatus.UNKNOWN, CheckStatus.NOT_RUN), found.evidence


def value_of(fact: Fact[Found] | None) -> Found:
    assert fact is not None
    assert fact.value is not None
    return fact.value


def test_the_checks_find_in_the_answers_what_is_in_them() -> None:
    evidence = gathered(RecordedReads("scaled"))
    image, instances = value_of(evidence.image), value_of(evidence.instances)
    assert (image.architectures, image.python) == (("amd64",), "3.12.4")
    assert (instances.registered, instances.connected) == (2, 2)
    assert [one.zone for one in value_of(evidence.subnets)] == ["us-east-1b", "us-east-1a"]
    assert [one.desired_vcpus for one in evidence.known_environments] == [8, 8]


def test_a_launch_whose_disks_may_not_have_their_key_is_a_failure_by_that_name() -> None:
    evidence = gathered(RecordedReads("encrypted"))
    (launches,) = (check for check in CHECKS if check.id is CheckId.LAUNCHES)
    found = launches.result(evidence, "not read")
    assert (found.result, value_of(evidence.launches).failures) == (CheckStatus.FAIL, 1)
    assert "Client.InvalidKMSKey.InvalidState" in found.evidence


# ---- the registry


def test_an_image_that_was_pushed_is_found_by_its_digest() -> None:
    assert registry.find_built(RecordedClients(), STACK, "a1b2c3d4") == registry.FoundImage(IMAGE, "a1b2c3d4")
    assert registry.find_built(RecordedClients("nothing"), STACK, "a1b2c3d4") is None


def test_the_newest_image_of_a_content_is_found_by_the_beginning_of_its_tag() -> None:
    found = registry.find_newest(RecordedClients(), STACK, "py3.12-amd64-a1b2c3d4a1b2c3d4")
    assert found == registry.FoundImage(IMAGE, "py3.12-amd64-a1b2c3d4a1b2c3d4-7c7c7c7c")
    assert registry.find_newest(RecordedClients(), STACK, "py3.12-amd64-a1b2c3d4") is None
    assert registry.find_newest(RecordedClients("nothing"), STACK, "py3.12-amd64-a1b2c3d4a1b2c3d4") is None


def test_a_login_is_a_user_and_a_password() -> None:
    granted = registry.credentials(RecordedClients())
    assert (granted.user, granted.password) == ("AWS", "a password")
