"""At most one living manager acts under an id; a dead one is succeeded, an outage is survived."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator

import msgspec
import pytest

from engine.aws.client import CONNECTIONS, AwsClient
from engine.aws.session import AwsSession
from engine.backends.batch.takeover.lease import TTL_S, Lease
from engine.backends.batch.takeover.lease_record import LeaseRecord, is_gone, this_process
from engine.errors import StartupError
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import BUCKET, _s3, environment, running
from tests.support.engine.fake_clock import FakeClock

KEY = "scaler-tasks/wm-lease/lease"


class Managers:
    """Makes leases that share a bucket; each has its own clock."""

    def __init__(self, client: AwsClient) -> None:
        self.client = client
        self.lost: list[str] = []
        self.clock = FakeClock()

    def lease(self, *, gone: bool = False) -> Lease:
        return Lease(
            client=self.client,
            bucket=BUCKET,
            key=KEY,
            token=uuid.uuid4().hex,
            on_lost=self.lost.append,
            clock=self.clock,
            sleep=self.clock.sleep,
            is_gone=lambda _: gone,
        )


@pytest.fixture
async def managers(aws: LocalAWS) -> AsyncIterator[Managers]:
    with environment(aws.environment()):
        client = AwsClient(AwsSession("us-east-1", CONNECTIONS))
        yield Managers(client)
        await client.close()


async def test_the_first_one_gets_it(managers: Managers) -> None:
    lease = managers.lease()
    await lease.acquire()
    assert lease.held


async def test_a_living_holder_is_named(managers: Managers) -> None:
    first, second = managers.lease(), managers.lease()
    await first.acquire()

    async def renew_meanwhile(seconds: float) -> None:
        await first._renew()

    second._sleep = renew_meanwhile
    with pytest.raises(StartupError, match=f"'wm-lease' is in use by process {os.getpid()} on host"):
        await second.acquire()
    assert first.held


async def test_a_dead_holder_of_this_host_is_succeeded_at_once(managers: Managers) -> None:
    first, second = managers.lease(), managers.lease(gone=True)
    await first.acquire()
    before = managers.clock.now
    await second.acquire()
    assert second.held
    assert managers.clock.now == before


async def test_whoever_was_succeeded_loses_for_good(managers: Managers) -> None:
    first, second = managers.lease(), managers.lease(gone=True)
    await first.acquire()
    await second.acquire()
    await first._renew()
    assert not first.held
    assert "held by process" in managers.lost[0]


@pytest.mark.long
async def test_a_holder_elsewhere_is_succeeded_after_its_lease(managers: Managers) -> None:
    await managers.lease().acquire()
    second = managers.lease()
    second._sleep = asyncio.sleep
    before = asyncio.get_running_loop().time()
    await second.acquire()
    assert asyncio.get_running_loop().time() - before >= TTL_S
    assert second.held


async def test_it_is_not_held_while_it_can_not_be_renewed_and_again_when_it_can(
    managers: Managers, aws: LocalAWS
) -> None:
    lease = managers.lease()
    await lease.acquire()
    aws.fault("error:s3:503")
    managers.clock.now += 9.0
    await lease._renew()
    assert not lease.held
    aws.clear_faults()
    await lease._renew()
    assert lease.held
    assert managers.lost == []


async def test_a_renewal_whose_answer_was_lost_is_recognized(managers: Managers, aws: LocalAWS) -> None:
    lease = managers.lease()
    await lease.acquire()
    aws.fault("ambiguous:PutObject:x1")
    await lease._renew()
    await lease._renew()
    assert lease.held
    assert managers.lost == []


async def test_a_process_that_slept_past_it_stops(managers: Managers) -> None:
    lease = managers.lease()
    await lease.acquire()

    async def suspended(seconds: float) -> None:
        managers.clock.now += 60.0

    lease._sleep = suspended
    await lease.keep()
    assert "suspended for 60 s" in managers.lost[0]
    assert not lease.held


async def test_giving_it_back_frees_it_at_once(managers: Managers) -> None:
    first, second = managers.lease(), managers.lease()
    await first.acquire()
    await first.release()
    await second.acquire()
    assert second.held


async def test_a_second_backend_is_refused_by_name(aws: LocalAWS) -> None:
    async with running(aws, worker_manager_id="wm-twice"):
        with pytest.raises(StartupError, match=r"'wm-twice' is in use by process \d+ on host"):
            async with running(aws, worker_manager_id="wm-twice"):
                pass


@pytest.mark.long
async def test_an_unreadable_lease_object_is_taken_after_its_time(managers: Managers, aws: LocalAWS) -> None:
    _s3(aws.endpoint).put_object(Bucket=BUCKET, Key=KEY, Body=b"not a lease")
    lease = managers.lease(gone=True)
    lease._sleep = asyncio.sleep
    await lease.acquire()
    assert lease.held


def test_this_process_lives() -> None:
    assert not is_gone(this_process("token"))


def test_a_process_that_ended_here_is_gone() -> None:
    script = (
        "import msgspec, sys\nfrom engine.backends.batch.takeover.lease_record import this_process\n"
        "sys.stdout.buffer.write(msgspec.json.encode(this_process('t')))"
    )
    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout
    assert is_gone(msgspec.json.decode(told, type=LeaseRecord))


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot_id": "another"}, {"process": "1@another namespace"}])
def test_a_process_elsewhere_is_never_called_gone(change: dict[str, str]) -> None:
    values = {**msgspec.to_builtins(this_process("token")), "pid": 2**22 + 1, **change}
    assert not is_gone(msgspec.convert(values, LeaseRecord))


def test_the_lease_object_is_json() -> None:
    assert json.loads(msgspec.json.encode(this_process("token")))["token"] == "token"
