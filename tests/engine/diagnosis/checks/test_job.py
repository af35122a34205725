"""The job: which one is read, and what AWS says of it."""

from __future__ import annotations

from tests.support.engine.diagnosed_account import (
    JOB,
    denied,
    diagnosis,
    healthy,
    job,
    snapshot,
    with_answers,
    with_job,
)


def test_without_the_snapshot_the_oldest_waiting_job_is_found_by_listing() -> None:
    account = healthy()
    account.answers["get_job_queue_snapshot"] = denied()
    account.answers["list_jobs"] = {
        "jobSummaryList": [{"jobId": "young", "createdAt": 2}, {"jobId": "old", "createdAt": 1}]
    }
    account.answers["describe_jobs"] = lambda jobs: {"jobs": [job(jobs[0])]}
    assert "job old" in diagnosis(account, job_id=None).subject


def test_a_job_brings_its_queue_along() -> None:
    assert diagnosis(healthy(), queue="").subject.endswith("in queue jobs")


def test_without_a_job_the_head_of_the_queue_is_diagnosed() -> None:
    assert JOB in diagnosis(healthy(), job_id=None).subject


def test_a_waiting_child_stands_for_its_array() -> None:
    parent = job(status="PENDING", arrayProperties={"statusSummary": {"RUNNABLE": 2, "RUNNING": 1}})
    child = job(f"{JOB}:7")
    account = with_answers(
        describe_jobs=lambda jobs: {"jobs": [child if ":" in jobs[0] else parent]},
        list_jobs={"jobSummaryList": [{"jobId": f"{JOB}:7"}]},
        get_job_queue_snapshot=snapshot("job-0", f"{JOB}:7"),
    )
    found = diagnosis(account)
    assert (found.verdict, f"{JOB}:7" in found.subject) == ("waiting its turn", True)


PACKED = {"parameters": {"options": "region=us-east-1;pack=25;timeout=60"}}


def test_a_job_that_runs_several_tasks_says_so() -> None:
    found = diagnosis(with_job(status="RUNNING", **PACKED))
    assert found.text == "Its container runs up to 25 tasks, one after the other: what it prints tells what it does."


def test_an_array_tells_how_many_tasks_each_child_runs() -> None:
    counts = {"arrayProperties": {"statusSummary": {"RUNNING": 3}}}
    found = diagnosis(with_job(status="PENDING", **counts, **PACKED))
    assert found.text.endswith("3 RUNNING. Each child runs up to 25 tasks, one after the other.")
