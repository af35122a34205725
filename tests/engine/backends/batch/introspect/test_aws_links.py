"""The links to AWS: what the work's own calls met, each part by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.aws.calls.operations import DESCRIBE_JOBS, LIST_OBJECTS, PUT_LEASE
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.aws.session import AwsSession
from engine.backends.batch.introspect.aws_links import DEGRADED_AFTER_S, DOWN_AFTER_S, AwsLinks
from engine.model import Link, LinkId, LinkTrouble
from tests.support.engine.aws_answers import THROTTLED, SwitchedOwnership, answered, refused, script
from tests.support.engine.fake_clock import FakeClock

EPOCH = 1_800_000_000.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[AwsClient]:
    made = AwsClient(AwsSession("us-east-1", 4), clock=clock, sleep=clock.sleep, uniform=lambda _, high: high)
    yield made
    await made.close()


@pytest.fixture
def links(client: AwsClient, clock: FakeClock) -> AwsLinks:
    begun = clock.now
    return AwsLinks(client=client, clock=clock, wall_clock=lambda: EPOCH + clock.now - begun)


def of(links: AwsLinks, id: LinkId) -> Link:
    [found] = [link for link in links.all() if link.id == id]
    return found


async def fail(client: AwsClient, error: Exception) -> None:
    with pytest.raises(AwsError):
        await client.run(DESCRIBE_JOBS, script(error), tries=1)


async def test_all_are_up_at_first_and_nothing_was_heard(links: AwsLinks) -> None:
    assert all(link.up and not link.degraded for link in links.all())
    assert (links.states_at, links.states_stale) == (None, False)


async def test_reads_that_fail_for_a_while_work_badly_and_at_last_not_at_all(
    links: AwsLinks, client: AwsClient, clock: FakeClock
) -> None:
    await client.run(DESCRIBE_JOBS, script("fine"))
    await fail(client, answered(500, "InternalError"))
    assert not of(links, LinkId.BATCH).degraded
    clock.now += DEGRADED_AFTER_S
    batch = of(links, LinkId.BATCH)
    assert (batch.up, batch.degraded, batch.heard_at, batch.since) == (True, True, EPOCH, EPOCH)
    assert "DescribeJobs fails (InternalError" in batch.detail
    assert (links.states_stale, links.states_at) == (True, EPOCH)
    clock.now += DOWN_AFTER_S - DEGRADED_AFTER_S - 1
    await fail(client, answered(500, "InternalError"))
    clock.now += 1
    assert not of(links, LinkId.BATCH).up
    assert of(links, LinkId.S3).up
    await client.run(DESCRIBE_JOBS, script("fine"))
    assert of(links, LinkId.BATCH).up
    assert not links.states_stale


async def test_throttled_reads_are_told_by_the_calls_name(links: AwsLinks, client: AwsClient, clock: FakeClock) -> None:
    await fail(client, THROTTLED)
    clock.now += DEGRADED_AFTER_S
    assert of(links, LinkId.BATCH).detail == "AWS throttles DescribeJobs"


@pytest.mark.parametrize(
    ("code", "message", "trouble"),
    [
        ("ExpiredTokenException", "The security token has expired", LinkTrouble.EXPIRED),
        ("InvalidClientTokenId", "no such key", LinkTrouble.REFUSED),
        ("InvalidSignatureException", "Signature expired: 2026 is now earlier than 2027", LinkTrouble.WRONG_CLOCK),
    ],
)
async def test_refused_credentials_are_down_and_tell_what_is_wrong_with_them(
    links: AwsLinks, client: AwsClient, code: str, message: str, trouble: LinkTrouble
) -> None:
    seen: list[Link] = []

    def refuse() -> str:
        seen.append(of(links, LinkId.CREDENTIALS))
        raise refused(code, message)

    with pytest.raises(AwsError):
        await client.run(DESCRIBE_JOBS, refuse, tries=2)
    client.pause(AwsError("DescribeJobs", "", code, message, 403))  # type: ignore[arg-type]
    link = of(links, LinkId.CREDENTIALS)
    assert (link.up, link.trouble) == (False, trouble)
    assert links.states_stale
    assert seen[0].up


async def test_another_pause_is_that_of_submissions_and_no_fault_of_the_credentials(
    links: AwsLinks, client: AwsClient
) -> None:
    client.pauses.begin("queue", "the job queue takes no jobs")
    assert of(links, LinkId.CREDENTIALS).up
    assert (of(links, LinkId.SUBMITS).up, of(links, LinkId.SUBMITS).detail) == (False, "the job queue takes no jobs")


async def test_a_lease_that_is_not_held_is_down_since_it_was_last_renewed(
    links: AwsLinks, client: AwsClient, clock: FakeClock
) -> None:
    client.ownership = SwitchedOwnership(held=False)
    await client.run(PUT_LEASE, script("fine"))
    clock.now += 30
    lease = of(links, LinkId.LEASE)
    assert (lease.up, lease.since, lease.heard_at) == (False, EPOCH, EPOCH)


async def test_s3_that_fails_is_no_fault_of_batch(links: AwsLinks, client: AwsClient, clock: FakeClock) -> None:
    with pytest.raises(AwsError):
        await client.run(LIST_OBJECTS, script(answered(503, "SlowDown")), tries=1)
    clock.now += DEGRADED_AFTER_S
    assert of(links, LinkId.S3).detail == "AWS throttles ListObjectsV2"
    assert not of(links, LinkId.BATCH).degraded
