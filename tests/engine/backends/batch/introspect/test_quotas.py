"""Quotas of compute environments: what their hosts have beyond our own jobs."""

from __future__ import annotations

from typing import Any, cast

import pytest

from engine.aws.batch_states import BatchState
from engine.backends.batch.introspect.quotas import Quotas
from engine.backends.batch.ledger import Ledger, Submission
from engine.model import IdleHosts, Price, ResourceShape


def quotas(*environments: tuple[str, int | None], running: int = 3, job_vcpus: float | None = 2.0) -> Quotas:
    """Of a queue with environments of these types and desiredvCpus, where so many jobs run."""
    answers = [environment(kind, desired) for kind, desired in environments]
    return Quotas(client=cast(Any, None), ledger=ledger_of(running), environments=answers, job_vcpus=job_vcpus)


def environment(kind: str, desired: int | None) -> dict[str, Any]:
    """A compute environment as AWS tells of it."""
    return {"computeEnvironmentArn": "arn", "computeResources": {"type": kind, "desiredvCpus": desired}}


def ledger_of(running: int) -> Ledger:
    """A ledger with one submission, of which so many children run."""
    ledger = Ledger()
    submission = Submission("sub", "", (), ResourceShape(), pack=1, job_id="job")
    submission.summary = {BatchState.RUNNING: running}
    ledger.submissions["sub"] = submission
    return ledger


@pytest.mark.parametrize(
    ("found", "idle"),
    [
        (quotas(("EC2", 8), ("SPOT", 16)), 18.0),
        (quotas(("EC2", 8), ("FARGATE", 64)), 2.0),
        (quotas(("EC2", 4)), 0.0),  # the last read is older than the jobs
        (quotas(("FARGATE", 64)), None),
        (quotas(("EC2", 8), ("SPOT", None)), None),
        (quotas(("EC2", 8), job_vcpus=None), None),
    ],
)
def test_hosts_beyond_our_jobs_are_idle_as_far_as_aws_tells_of_hosts(found: Quotas, idle: float | None) -> None:
    assert found.idle_vcpus == idle


class Environments:
    """A client that tells of one environment: each read the next desiredvCpus, None refuses it."""

    def __init__(self, *desired: int | None) -> None:
        self.desired = list(desired)

    async def call(self, operation: object, **_: object) -> dict[str, Any]:
        desired = self.desired.pop(0)
        if desired is None:
            raise TimeoutError
        return {"computeEnvironments": [environment("EC2", desired)]}


async def watched(client: Environments, ledger: Ledger, seconds: range) -> IdleHosts | None:
    """What idle hosts are after somebody asked whether to watch them at these seconds."""
    now = [0.0]
    made = Quotas(
        client=cast(Any, client),
        ledger=ledger,
        environments=[environment("EC2", 0)],
        job_vcpus=2.0,
        clock=lambda: now[0],
    )
    for second in seconds:
        now[0] = float(second)
        if second == 300:
            ledger.submissions.clear()
        await made.watch_hosts()
    return made.idle_hosts(Price(0.5))


async def test_hosts_are_counted_every_minute_without_viewers_until_the_last_is_gone() -> None:
    client = Environments(8, 8, 8, 8, 8, 8, 4, 0)
    found = await watched(client, ledger_of(running=2), range(0, 1200, 10))
    assert client.desired == []
    assert found == IdleHosts(4 * 240 + 6 * 60 + 6 * 60 + 2 * 60, 420.0, 430.0, 0.25)


async def test_a_minute_in_which_aws_refused_to_tell_was_not_seen() -> None:
    client = Environments(8, None, None, 8, 8)
    found = await watched(client, ledger_of(running=2), range(0, 290, 10))
    assert (found.vcpu_s, found.seen_s, found.watched_s) == (240.0, 60.0, 280.0) if found else False


async def test_without_jobs_and_hosts_nothing_is_read() -> None:
    assert await watched(Environments(), Ledger(), range(0, 600, 10)) == IdleHosts(0.0, 0.0, 0.0, 0.0)
