"""Position in the queue: what the job at the head says."""

from __future__ import annotations

from tests.support.engine.diagnosed_account import CAPACITY, JOB, diagnosis, job, snapshot, with_answers


def test_the_job_at_the_head_tells_why_those_behind_it_wait() -> None:
    described = {"job-0": job("job-0", statusReason=CAPACITY), JOB: job()}
    account = with_answers(
        describe_jobs=lambda jobs: {"jobs": [described[jobs[0]]]}, get_job_queue_snapshot=snapshot("job-0", JOB)
    )
    assert CAPACITY in diagnosis(account).text
