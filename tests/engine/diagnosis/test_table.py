"""The table of checks: one row a check, read and shown in its order, and by its id alone."""

from __future__ import annotations

from engine.diagnosis.checks.table import CHECKS
from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus
from tests.support.engine.diagnosed_account import JOB, Account, diagnosis, healthy, snapshot, with_answers

ENGINES_AND_DOCTORS = {
    CheckId.SUBMISSION,
    CheckId.CONCURRENCY,
    CheckId.THROTTLING,
    CheckId.CREDENTIALS,
    CheckId.STACK_RESOURCES,
    CheckId.KMS_KEY,
    CheckId.REGION,
    CheckId.MANAGER_PERMISSIONS,
    CheckId.PROVISIONER_PERMISSIONS,
    CheckId.JOB_DEFINITION,
    CheckId.PYTHON_VERSION,
    CheckId.SCHEDULER,
}
"""Checks beside those of the table."""
FIRST_READS = (
    "describe_jobs",
    "describe_job_queues",
    "describe_compute_environments",
    "get_job_queue_snapshot",
    "describe_instance_types",
    "describe_auto_scaling_groups",
    "get_service_quota",
    "list_container_instances",
    "get_instance_profile",
    "describe_route_tables",
    "describe_images",
)
"""What each check of a healthy account begins with."""


def test_every_check_of_a_diagnosis_has_one_row() -> None:
    ids = [check.id for check in CHECKS]
    assert sorted(ids) == sorted(set(CheckId) - ENGINES_AND_DOCTORS)
    assert len({check.title for check in CHECKS}) == len(CHECKS)


def test_a_diagnosis_shows_all_checks_in_the_order_of_the_table() -> None:
    for account in (healthy(), Account(), with_answers(describe_jobs={"jobs": []})):
        shown = [(check.id, check.name) for check in diagnosis(account).checks]
        assert shown == [(check.id, check.title) for check in CHECKS]


def test_checks_are_read_in_the_order_of_the_table_behind_the_job() -> None:
    """Subnets are an exception: the instance types need their zones before."""
    account = healthy()
    diagnosis(account)
    assert [operation for operation in account.asked if operation in FIRST_READS] == list(FIRST_READS)


def test_a_job_that_is_starting_needs_no_place_in_the_queue() -> None:
    account = healthy()
    account.answers["describe_jobs"] = lambda jobs: {"jobs": [{**_described(jobs[0]), "status": "STARTING"}]}
    results = {check.id: check.result for check in diagnosis(account).checks}
    not_read = {check.id for check in CHECKS if not check.when_starting} - {CheckId.JOB, CheckId.VCPU_LIMIT}
    assert {id_ for id_, result in results.items() if result is CheckStatus.NOT_RUN} == not_read


def test_without_a_job_that_waits_only_queue_and_environments_are_read() -> None:
    account = with_answers(get_job_queue_snapshot=snapshot(), list_jobs={"jobSummaryList": []})
    results = {check.id: check.result for check in diagnosis(account, job_id=None).checks}
    read = {id_ for id_, result in results.items() if result is not CheckStatus.NOT_RUN}
    assert read == {CheckId.QUEUE, CheckId.ENVIRONMENTS, CheckId.JOB, CheckId.VCPU_LIMIT}


def _described(job_id: str) -> dict[str, object]:
    [described] = healthy().answers["describe_jobs"]["jobs"]  # type: ignore[index]
    return {**described, "jobId": job_id or JOB}
