"""Task manager between a backend, object storage and a scheduler that only record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from engine.backends.protocol import CancelRefused, Introspection
from engine.code.archive import CodeArchive
from engine.jobs.registry import JobRegistry
from engine.messages import CancelAnswer, CancelRequested, LinkDown, ResultNotice, TaskArrived
from engine.model import CancelReason, Demand, Outcome, Placement, Printed, Profile, Route, TaskWork
from engine.tasks.task_manager import AWSHPCTaskManager

CLIENT = b"Client|quant|0"


@dataclass
class Backend:
    """Backend that takes tasks and records the calls."""

    submitted: list[TaskWork] = field(default_factory=list)
    cancelled: list[bytes] = field(default_factory=list)
    sent: set[bytes] = field(default_factory=set)
    """Tasks whose SubmitJob is on its way."""
    reasons: list[CancelReason] = field(default_factory=list)
    """Of what was cancelled, in this order."""
    refusing: set[bytes] = field(default_factory=set)
    """Tasks whose jobs can't be ended."""
    forgotten: list[bytes] = field(default_factory=list)
    capabilities: dict[str, int] = field(default_factory=dict)
    left_behind: set[bytes] = field(default_factory=set)
    doubted: set[bytes] = field(default_factory=set)
    """Tasks that a predecessor's job may have."""
    adopted: dict[bytes, int] = field(default_factory=dict)
    """With their priorities."""
    unclaimed_jobs: int | None = 0
    tasks_a_job: int = 1
    bounds_jobs: bool = False
    jobs_under_way: int = 0
    expected: tuple[int, int] = (0, 0)
    """Jobs and queued tasks."""
    abandoned: bool = False
    cancels: asyncio.Event = field(default_factory=asyncio.Event)
    """Cancels return once it is set, as it is at first."""
    broken: str = ""
    """Name of a method that raises what no backend should."""

    def __post_init__(self) -> None:
        self.cancels.set()

    @property
    def orphans(self) -> int:
        return len(self.left_behind)

    def may_have_job(self, task_id: bytes) -> bool:
        return task_id in self.doubted

    def has_orphan(self, task_id: bytes) -> bool:
        return task_id in self.left_behind

    def adopt(self, task_id: bytes, priority: int = 0) -> Placement | None:
        if task_id not in self.left_behind:
            return None
        self.left_behind.remove(task_id)
        self.adopted[task_id] = priority
        return Placement("0" * 32, "job", Route.INLINE, (task_id,), 0, 1)

    def expect(self, jobs: int, queued: int) -> None:
        self.expected = jobs, queued

    async def abandon_orphans(self) -> None:
        self.left_behind.clear()
        self.abandoned = True

    @property
    def introspection(self) -> Introspection:
        raise NotImplementedError

    @property
    def default_demand(self) -> Demand | None:
        return None

    def use_code(self, archive: CodeArchive) -> None: ...

    def submit(self, work: TaskWork) -> None:
        self._break("submit")
        self.submitted.append(work)

    def take_back(self, task_id: bytes) -> bool:
        if task_id not in self.sent:
            self.cancelled.append(task_id)
        return task_id not in self.sent

    async def cancel(self, task_id: bytes, reason: CancelReason = CancelReason.CLIENT) -> None:
        self.reasons.append(reason)
        if task_id in self.refusing:
            raise CancelRefused("not allowed")
        self.cancelled.append(task_id)
        self._break("cancel")
        await self.cancels.wait()

    async def forget(self, task_ids: Sequence[bytes]) -> None:
        self.forgotten.extend(task_ids)

    async def stop(self, *, terminate: bool) -> None: ...

    def _break(self, method: str) -> None:
        if method == self.broken:
            raise ZeroDivisionError("a defect")

    @property
    def names(self) -> list[str]:
        return [work.task_id.decode().strip("_") for work in self.submitted]


@dataclass
class Shelf:
    """Object storage in memory."""

    objects: dict[bytes, bytes] = field(default_factory=dict)
    lost: set[bytes] = field(default_factory=set)
    late: dict[bytes, asyncio.Event] = field(default_factory=dict)
    """Objects that are there once this is set."""
    broken_puts: int = 0
    puts: asyncio.Event = field(default_factory=asyncio.Event)
    """Puts return once it is set, as it is at first."""
    waiting: int = 0
    """Puts that have not returned."""

    def __post_init__(self) -> None:
        self.puts.set()

    async def get(self, object_id: bytes, at_most: int | None = None) -> bytes:
        if len(object_id) != 32:
            raise ValueError("an object id has 32 bytes")
        if object_id in self.lost:
            await asyncio.Event().wait()
        if object_id in self.late:
            await self.late[object_id].wait()
        return self.objects.get(object_id, object_id)[:at_most]

    async def put(self, object_id: bytes, data: bytes) -> None:
        if self.broken_puts:
            self.broken_puts -= 1
            raise ZeroDivisionError("a defect")
        self.waiting += 1
        await self.puts.wait()
        self.waiting -= 1
        self.objects[object_id] = data


@dataclass
class Scheduler:
    """Scheduler that records what the task manager sends; `up`: there is a connection."""

    up: bool = True
    answers: list[tuple[bytes, CancelAnswer]] = field(default_factory=list)
    results: list[ResultNotice] = field(default_factory=list)
    printed: list[tuple[bytes, int, str]] = field(default_factory=list)
    """What tasks printed while they ran, by descriptor."""
    broken_notices: int = 0
    order: list[object] = field(default_factory=list)
    """Answers and results, as they were sent."""

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        self._check()
        self.order.append(answer)
        self.answers.append((task_id, answer))

    async def announce_output(self, task_id: bytes, texts: Sequence[tuple[int, str]]) -> None:
        self._check()
        self.printed += [(task_id, *text) for text in texts]

    async def announce_result(self, notice: ResultNotice) -> None:
        self._check()
        if self.broken_notices:
            self.broken_notices -= 1
            raise ZeroDivisionError("a defect")
        self.results.append(notice)
        self.order.append(notice)

    def _check(self) -> None:
        if not self.up:
            raise LinkDown("test")


class Bench:
    """Task manager between the three."""

    def __init__(self, slots: int = 2, may_spend: Callable[[], bool] = lambda: True) -> None:
        self.backend, self.shelf, self.scheduler = Backend(), Shelf(), Scheduler()
        self.registry = JobRegistry("wm")
        self.tasks = AWSHPCTaskManager(self.shelf, slots, lambda reason: None, self.registry, may_spend)
        self.tasks.use_backend(self.backend)
        self.tasks.connect(self.scheduler)

    async def arrive(self, *names: str, priority: int = 0) -> None:
        for name in names:
            self.tasks.on_task(task(name, priority))
        await settle()

    async def submitted(self, *names: str) -> None:
        for name in names:
            ids = (task_id(name),)
            self.tasks.on_submitted(Placement("0" * 32, f"job-{name}", Route.INLINE, ids, 1, 1))
        await settle()

    async def finish(self, name: str, body: bytes = b"result", printed: Printed | None = None) -> None:
        outcome = Outcome(task_id(name), True, body, Profile(1.0, 2, 0.5), attempt=1, printed=printed)
        await self.tasks.on_outcome(outcome)
        await settle()

    async def cancel(self, name: str, *, force: bool) -> list[CancelAnswer]:
        self.scheduler.answers.clear()
        self.tasks.on_cancel(CancelRequested(task_id(name), force))
        await settle()
        return [answer for answered, answer in self.scheduler.answers if answered == task_id(name)]

    async def confirm(self) -> None:
        async def barrier() -> None: ...

        settling = asyncio.create_task(self.tasks.settle(barrier))
        await asyncio.wait_for(until(lambda: self.tasks.is_idle or self.backend.forgotten), 5)
        settling.cancel()


def task_id(name: str) -> bytes:
    return name.encode().ljust(16, b"_")


def task(name: str, priority: int = 0) -> TaskArrived:
    return TaskArrived(task_id(name), CLIENT, b"s" * 32, b"f" * 32, (name.encode().ljust(32, b"a"),), priority)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - the condition is the code under test, which sets no event
        await asyncio.sleep(0)
