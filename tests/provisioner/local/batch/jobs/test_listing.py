"""ListJobs: states, filters and pages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.local_aws.account import Account


def listed(account: Account, **arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for page in account.batch.get_paginator("list_jobs").paginate(**arguments):
        found.extend(page["jobSummaryList"])
    return found


def by_name(account: Account, pattern: str) -> list[str]:
    filters = [{"name": "JOB_NAME", "values": [pattern]}]
    return [job["jobName"] for job in listed(account, jobQueue="queue", filters=filters)]


@pytest.fixture(scope="module")
def failed_array(shared_account: Account) -> str:
    code = "code = int(environ['AWS_BATCH_JOB_ARRAY_INDEX']) % 2"
    job_id = shared_account.submit(code, jobName="wm_aarray", arrayProperties={"size": 6})
    shared_account.ended(job_id)
    return job_id


def test_a_name_filter_finds_any_state_and_prefixes_only_with_a_star(account: Account) -> None:
    for name in ("wm_t1", "wm_t12", "other"):
        account.run("", jobName=name)
    assert by_name(account, "wm_t1") == ["wm_t1"]
    assert by_name(account, "wm_t1*") == ["wm_t12", "wm_t1"]
    assert by_name(account, "WM_T12") == ["wm_t12"]


def test_without_a_state_only_running_jobs_are_listed(account: Account) -> None:
    account.run("", jobName="over")
    assert listed(account, jobQueue="queue") == []


def test_failed_children_of_an_array_tell_index_and_exit_code(account: Account, failed_array: str) -> None:
    children = listed(account, arrayJobId=failed_array, jobStatus="FAILED")
    found = sorted((child["arrayProperties"]["index"], child["container"]["exitCode"]) for child in children)
    assert found == [(1, 1), (3, 1), (5, 1)]


def test_an_array_parent_sums_its_children_up(account: Account, failed_array: str) -> None:
    parent = account.job(failed_array)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    summary = parent["arrayProperties"]["statusSummary"]
    assert (summary["SUCCEEDED"], summary["FAILED"], summary["RUNNING"]) == (3, 3, 0)


def test_children_are_not_among_the_queues_jobs(account: Account, failed_array: str) -> None:
    found = listed(account, jobQueue="queue", jobStatus="FAILED")
    assert failed_array in [job["jobId"] for job in found]
    assert not [job for job in found if ":" in job["jobId"]]


def test_pages_hold_a_thousand_by_state_and_a_hundred_by_filter(account: Account) -> None:
    parent = account.submit("", jobName="many", jobDefinition="python", arrayProperties={"size": 2})
    account.ended(parent)
    for index in range(101):
        account.submit("#" * 8_192, jobName=f"page{index}")  # fails at once: no process needed
    filters = [{"name": "JOB_NAME", "values": ["page*"]}]
    first = account.batch.list_jobs(jobQueue="queue", filters=filters)
    assert len(first["jobSummaryList"]) == 100
    assert len(by_name(account, "page*")) == 101
    assert len(account.batch.list_jobs(jobQueue="queue", jobStatus="FAILED")["jobSummaryList"]) > 100
