"""A start that waits can be ended; a worker manager that fails ends alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

import engine.__main__ as program
from engine import worker_manager
from engine.config.settings import EngineConfig, ManagerConfig, StopMode
from engine.errors import OwnershipLost, StartupError
from engine.jobs.registry import JobRegistry
from engine.worker_manager import AWSHPCWorkerManager
from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import config, empty_bucket, environment, objects, provision
from tests.support.engine.managed_tasks import Clock, Managed


class Start:
    """An opening of a backend that waits until it is cancelled; then it gives back what it took."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.given_back = False

    async def __call__(self, *_arguments: object) -> Any:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _turn in range(3):
                await asyncio.sleep(0)
            self.given_back = True


def manager_of(settings: ManagerConfig) -> AWSHPCWorkerManager:
    return AWSHPCWorkerManager(settings, None, JobRegistry(settings.worker_manager_id, 1))


@pytest.mark.parametrize("mode", list(StopMode))
async def test_a_start_that_waits_is_ended_by_a_signal(monkeypatch: pytest.MonkeyPatch, mode: StopMode) -> None:
    start = Start()
    monkeypatch.setattr(worker_manager, "open_backend", start)
    manager = manager_of(config())
    run = asyncio.create_task(manager.run())
    await start.begun.wait()
    manager.stop(mode)
    async with asyncio.timeout(5):
        await run
    assert start.given_back


async def test_what_ended_the_ownership_meanwhile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Start()
    monkeypatch.setattr(worker_manager, "open_backend", start)
    manager = manager_of(config())
    run = asyncio.create_task(manager.run())
    await start.begun.wait()
    manager.tasks.on_lost_ownership("somebody took the lease")
    with pytest.raises(OwnershipLost, match="somebody took"):
        await run


async def test_a_drain_tells_how_many_are_left_and_since_when_the_oldest_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    managed = Managed(clock=Clock(time.time() - 200))
    managed.tasks.submit(1)
    managed.tasks.slots_used = 64
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError
        managed.tasks.slots_used -= 1

    with pytest.raises(asyncio.CancelledError):
        await worker_manager.tell_drain(managed.tasks, managed.registry, sleep)  # type: ignore[arg-type]
    assert caplog.messages == ["draining: 63 left, oldest 3 min", "draining: 62 left, oldest 3 min"]
    assert slept == [5.0, 5.0, 5.0]


@pytest.mark.long
async def test_a_start_that_is_ended_while_it_looks_for_jobs_leaves_no_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalAWS(time_scale=0.1) as aws:
        provision(aws)
        with environment(aws.environment()):
            aws.fault("error:ListJobs:503")
            manager = manager_of(config())
            run = asyncio.create_task(manager.run())
            async with asyncio.timeout(30):
                while not any(key.endswith("/lease") for key in await asyncio.to_thread(objects, aws)):  # noqa: ASYNC110
                    await asyncio.sleep(0)
                manager.stop(StopMode.DRAIN)
                await run
            assert objects(aws) == []
        empty_bucket(aws)


class Manager:
    """Stands in for a worker manager: ends as it is told."""

    ends: ClassVar[dict[str, Callable[[], Coroutine[Any, Any, None]]]] = {}
    made: ClassVar[list[Manager]] = []

    def __init__(self, settings: ManagerConfig, *_: object) -> None:
        self.config = settings
        self.stopped = asyncio.Event()
        self.noted = ""
        Manager.made.append(self)

    async def run(self) -> None:
        await Manager.ends.get(self.config.worker_manager_id, self.stopped.wait)()

    def stop(self, _: StopMode) -> None:
        self.stopped.set()

    def note_end(self, reason: str) -> None:
        self.noted = reason


@pytest.fixture
def managers(monkeypatch: pytest.MonkeyPatch) -> list[Manager]:
    @asynccontextmanager
    async def silent(*_: object) -> AsyncIterator[None]:
        yield

    Manager.ends, Manager.made = {}, []
    monkeypatch.setattr(program, "AWSHPCWorkerManager", Manager)
    monkeypatch.setattr(program, "telemetry", silent)
    return Manager.made


async def refused() -> None:
    raise StartupError("no such queue")


async def broken() -> None:
    raise ZeroDivisionError("a defect")


@pytest.mark.parametrize(("end", "told"), [(refused, "ended: no such queue"), (broken, "broke: ZeroDivisionError")])
async def test_one_that_fails_leaves_the_others_at_work(
    managers: list[Manager], end: Callable[[], Coroutine[Any, Any, None]], told: str
) -> None:
    Manager.ends["bad"] = end
    both = EngineConfig(managers=(config(worker_manager_id="bad"), config(worker_manager_id="good")))
    run = asyncio.create_task(program._run_managers(both))
    await asyncio.sleep(0)
    bad, good = managers
    for _ in range(10):
        await asyncio.sleep(0)
    assert bad.noted.startswith(told)
    assert not good.stopped.is_set()
    assert not run.done()
    good.stop(StopMode.DRAIN)
    assert await run == 1


async def test_all_that_end_well_are_no_failure(managers: list[Manager]) -> None:
    run = asyncio.create_task(program._run_managers(EngineConfig(managers=(config(),))))
    await asyncio.sleep(0)
    managers[0].stop(StopMode.DRAIN)
    assert await run == 0
