"""At most one living manager acts under an id; a dead one is succeeded, an outage is survived."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
from botocore.exceptions import ReadTimeoutError

from engine.aio import cancel_and_wait
from engine.aws.calls.operations import CONNECTIONS, LEASE_ANSWER_S
from engine.aws.client import AwsClient
from engine.aws.session import AwsSession
from engine.backends.batch.takeover.lease import (
    GRANULARITY_S,
    IDLE_AFTER_S,
    IDLE_RENEWAL_S,
    RENEWAL_S,
    RETRY_S,
    SAFETY_S,
    Lease,
)
from engine.backends.batch.takeover.lease_record import IDLE_TTL_S, TTL_S, LeaseRecord, is_gone, this_process
from engine.errors import StartupError
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import BUCKET, _s3, environment, manager_calls, running
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


class Naps:
    """Sleep of `Lease.keep`: takes as long as it is told, a nap a time, and lets the test look after the last."""

    def __init__(self, clock: FakeClock, *lengths: float) -> None:
        self._clock = clock
        self._lengths = list(lengths)
        self.slept: list[float] = []
        self.over = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self._lengths:
            self.over.set()
            await asyncio.Event().wait()
        self._clock.now += self._lengths.pop(0)


async def kept(lease: Lease, naps: Naps) -> None:
    """Let the lease be kept for as long as the naps last."""
    lease._sleep = naps
    keeping = asyncio.create_task(lease.keep())
    over = asyncio.create_task(naps.over.wait())
    await asyncio.wait({keeping, over}, return_when=asyncio.FIRST_COMPLETED)
    await cancel_and_wait([keeping, over])


async def test_a_process_that_slept_past_it_goes_on_when_nobody_took_it(managers: Managers) -> None:
    lease = managers.lease()
    await lease.acquire()
    await kept(lease, Naps(managers.clock, 60.0))
    assert managers.lost == []
    assert lease.held


async def test_a_process_that_slept_past_it_stops_when_somebody_took_it(managers: Managers) -> None:
    first, second = managers.lease(), managers.lease(gone=True)
    await first.acquire()
    await second.acquire()
    await kept(first, Naps(managers.clock, 60.0))
    assert "held by process" in managers.lost[0]
    assert not first.held


async def test_an_object_that_is_gone_after_the_lease_may_have_been_anybodys(managers: Managers, aws: LocalAWS) -> None:
    lease = managers.lease()
    await lease.acquire()
    _s3(aws).delete_object(Bucket=BUCKET, Key=KEY)
    await kept(lease, Naps(managers.clock, 60.0))
    assert "nobody known" in managers.lost[0]


async def test_an_object_that_was_deleted_by_hand_is_written_again(managers: Managers, aws: LocalAWS) -> None:
    lease = managers.lease()
    await lease.acquire()
    _s3(aws).delete_object(Bucket=BUCKET, Key=KEY)
    await kept(lease, Naps(managers.clock, 3.0))
    assert managers.lost == []
    assert lease.held


@pytest.mark.parametrize("status", [403, 400, 404])
async def test_a_refusal_for_a_moment_pauses(managers: Managers, aws: LocalAWS, status: int) -> None:
    lease = managers.lease()
    told: list[str] = []
    managers.client.pauses.on_paused, managers.client.pauses.on_resumed = told.append, lambda: told.append("resumed")
    await lease.acquire()
    aws.fault(f"error:PutObject:{status}:x3")
    await kept(lease, Naps(managers.clock, 3.0, 10.0, 10.0, 10.0))
    assert managers.lost == []
    assert lease.held
    assert "PutLease" in told[0]
    assert told[1:] == ["resumed"]


async def test_a_refusal_that_stays_ends_it(managers: Managers, aws: LocalAWS) -> None:
    lease = managers.lease()
    await lease.acquire()
    aws.fault("error:PutObject:403")
    await kept(lease, Naps(managers.clock, 3.0, 30.0, 31.0))
    assert "AccessDenied" in managers.lost[0]


async def test_a_renewal_that_failed_is_made_again_at_once(managers: Managers, aws: LocalAWS) -> None:
    lease = managers.lease()
    await lease.acquire()
    aws.fault("error:PutObject:503:x2")
    naps = Naps(managers.clock, RENEWAL_S, RETRY_S)
    await kept(lease, naps)
    assert naps.slept == [RENEWAL_S, RETRY_S, RENEWAL_S]
    assert lease.held


async def test_one_renewal_that_hangs_costs_no_hold(managers: Managers, aws: LocalAWS) -> None:
    """It is given up while the lease is still held, and the next one goes through."""
    lease = managers.lease()
    lease._clock = asyncio.get_running_loop().time
    await lease.acquire()
    put = managers.client.session.client("s3", LEASE_ANSWER_S)
    hung: list[float] = []

    def hang(**_: object) -> None:
        if not hung:
            hung.append(put.meta.config.read_timeout)
            raise ReadTimeoutError(endpoint_url="s3")

    put.meta.events.register("before-send.s3.PutObject", hang)
    await lease._renew()
    assert hung == [LEASE_ANSWER_S]
    assert lease.held


async def test_while_there_is_nothing_to_do_it_is_renewed_rarely(managers: Managers, aws: LocalAWS) -> None:
    lease = managers.lease()
    lease.is_idle = lambda: True
    await lease.acquire()
    aws.reset_calls()
    await kept(lease, Naps(managers.clock, *[RENEWAL_S] * 220))
    assert manager_calls(aws)["s3.PutObject"] <= IDLE_AFTER_S / RENEWAL_S + 600 / (IDLE_RENEWAL_S - RENEWAL_S) + 1
    assert lease.held


async def test_work_brings_the_short_lease_back(managers: Managers) -> None:
    lease = managers.lease()
    lease.is_idle = lambda: True
    await lease.acquire()
    await kept(lease, Naps(managers.clock, *[RENEWAL_S] * 22))
    lease.is_idle = lambda: False
    await kept(lease, Naps(managers.clock, RENEWAL_S))
    held_for = lease._valid_until - managers.clock.now
    assert held_for == TTL_S - SAFETY_S


async def test_an_idle_holder_is_not_succeeded_within_its_longer_lease(managers: Managers) -> None:
    lease = managers.lease()
    lease.is_idle = lambda: True
    await lease.acquire()
    await kept(lease, Naps(managers.clock, *[RENEWAL_S] * 22))
    found = await lease._read()
    assert found is not None
    second = managers.lease()
    assert not second._may_succeed(replace(found, age_s=IDLE_TTL_S))
    assert second._may_succeed(replace(found, age_s=IDLE_TTL_S + GRANULARITY_S + 1))


async def test_the_answer_to_the_first_write_was_lost(managers: Managers, aws: LocalAWS) -> None:
    lease = managers.lease()
    aws.fault("ambiguous:PutObject:x1")
    before = managers.clock.now
    await lease.acquire()
    assert lease.held
    assert managers.clock.now == before


async def test_giving_it_back_frees_it_at_once(managers: Managers) -> None:
    first, second = managers.lease(), managers.lease()
    await first.acquire()
    await first.release()
    await second.acquire()
    assert second.held


async def test_who_succeeds_a_dead_holder_inherits_the_signing_key_and_no_other_does(managers: Managers) -> None:
    first, second, stranger = managers.lease(), managers.lease(gone=True), managers.lease()
    await first.acquire()
    await second.acquire()
    assert first.signing_key == second.signing_key != stranger.signing_key
    assert [len(one.signing_key) for one in (first, stranger)] == [32, 32]


async def test_who_gives_it_back_with_jobs_running_leaves_the_signing_key_to_whoever_comes(
    managers: Managers, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = managers.lease(), managers.lease()
    await first.acquire()
    await first.release(keep_key=True)
    before = managers.clock.now
    await second.acquire()
    assert (first.held, second.held, managers.clock.now) == (False, True, before)
    assert second.signing_key == first.signing_key
    assert second.last_act_s is not None  # a job that was sent a moment before may not be listed yet
    assert first.signing_key.hex() not in caplog.text


async def test_who_takes_a_lease_that_was_given_back_holds_it_against_others(managers: Managers) -> None:
    first, second, third = (managers.lease() for _ in range(3))
    await first.acquire()
    await first.release(keep_key=True)
    await second.acquire()

    async def renew_meanwhile(seconds: float) -> None:
        await second._renew()

    third._sleep = renew_meanwhile
    with pytest.raises(StartupError, match="is in use"):
        await third.acquire()


async def test_a_lease_of_release_0_1_has_no_key_to_inherit(managers: Managers, aws: LocalAWS) -> None:
    old = {name: value for name, value in msgspec.to_builtins(this_process("t")).items() if name != "signing_key"}
    _s3(aws).put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(old).encode())
    lease = managers.lease(gone=True)
    await lease.acquire()
    assert (lease.held, len(lease.signing_key)) == (True, 32)


async def test_a_second_backend_is_refused_by_name(aws: LocalAWS) -> None:
    async with running(aws, worker_manager_id="wm-twice"):
        with pytest.raises(StartupError, match=r"'wm-twice' is in use by process \d+ on host"):
            async with running(aws, worker_manager_id="wm-twice"):
                pass


@pytest.mark.long
async def test_an_unreadable_lease_object_is_taken_after_its_time(managers: Managers, aws: LocalAWS) -> None:
    _s3(aws).put_object(Bucket=BUCKET, Key=KEY, Body=b"not a lease")
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
