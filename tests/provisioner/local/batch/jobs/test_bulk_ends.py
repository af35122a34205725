"""TerminateJobs and CancelJobs: 200 whatever becomes of each id."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws.account import Account

SLEEP = "import time; time.sleep(600)"


def test_terminate_jobs_ends_what_it_finds_and_names_what_is_no_id(account: Account) -> None:
    running = account.submit(SLEEP)
    account.until(running, "RUNNING")
    unknown = str(uuid.uuid4())
    answer = account.batch.terminate_jobs(jobs=[running, unknown, "no id"], reason="seen")
    assert answer["successful"] == [running, unknown]
    assert [(error["job"], error["code"]) for error in answer["errors"]] == [("no id", "ValidationException")]
    assert account.until(running, "FAILED")["statusReason"] == "seen"


def test_cancel_jobs_leaves_what_runs_alone(account: Account) -> None:
    running = account.submit(SLEEP)
    account.until(running, "RUNNING")
    assert account.batch.cancel_jobs(jobs=[running], reason="seen")["errors"] == []
    assert account.job(running)["status"] == "RUNNING"
    account.batch.terminate_jobs(jobs=[running], reason="seen")


@pytest.mark.parametrize("count", [0, 51])
def test_from_one_to_fifty_ids_are_taken(account: Account, count: int) -> None:
    with pytest.raises(ClientError, match="From 1 to 50"):
        account.batch.terminate_jobs(jobs=[str(uuid.uuid4())] * count, reason="seen")
