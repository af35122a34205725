"""Model of Scaler: its queue of tasks, its states of a task, one worker's connection, its object storage.

As `scaler/scheduler/controllers/` does it: a worker's queue is filled from the front of the queue, a lost worker's
tasks go to its end, a result counts only of a running task, a cancel waits for the worker's answer. A worker is known
by its identity: what came over a connection that is gone is handled all the same, in order, and answered over the
present one.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from engine.asked_capabilities import Word
from engine.messages import (
    CancelAnswer,
    CancelRequested,
    CapabilitiesTold,
    LinkDown,
    MarkerAnswered,
    ResultNotice,
    TaskArrived,
    WorkerEcho,
    WorkerMessage,
    WorkerVitals,
)

CLIENT = b"Client|model|0"


class Held(Enum):
    """State of a task as Scaler sees it."""

    WAITING = "waiting"
    RUNNING = "running"
    CANCELLING = "cancelling"
    BALANCING = "balancing"
    DONE = "done"


@dataclass
class ModelTask:
    """A task of the client; `ends` are what the client was told of it."""

    arrival: TaskArrived
    state: Held = Held.WAITING
    ends: list[str] = field(default_factory=list)
    cancel_asked: bool = False


class ModelStorage:
    """Scaler's object storage."""

    def __init__(self) -> None:
        self.objects: dict[bytes, bytes] = {}
        self.put_s = 0.001
        """How long a result takes."""
        self._arrived = asyncio.Event()

    async def get(self, object_id: bytes, at_most: int | None = None) -> bytes:
        await asyncio.sleep(0.001)
        while object_id not in self.objects:
            await self._arrived.wait()
        return self.objects[object_id][:at_most]

    async def put(self, object_id: bytes, data: bytes) -> None:
        await asyncio.sleep(self.put_s)
        self.add(object_id, data)

    def add(self, object_id: bytes, data: bytes) -> None:
        """Have an object from now on, for whoever waits for it, too."""
        self.objects[object_id] = data
        self._arrived.set()
        self._arrived = asyncio.Event()

    def use_address(self, address: str) -> None:
        """The engine's link does."""


class Scheduler:
    """Scheduler with at most one worker. `tell` gets a line of the story whenever something happens."""

    def __init__(self, rng: random.Random, storage: ModelStorage, tell: Callable[[str], None]) -> None:
        self._rng = rng
        self._storage = storage
        self._tell = tell
        self.tasks: dict[bytes, ModelTask] = {}
        self._waiting: deque[bytes] = deque()
        self._assigned: dict[bytes, None] = {}
        self._queue_size = 0
        self._is_registered = False
        self._inbox: deque[Callable[[], None]] = deque()
        """What came and was not handled yet."""
        self._stalled_until = 0.0
        self.is_cut = False
        self._channels: list[ModelChannel] = []
        self._monitors: list[ModelMonitor] = []
        self.faults: Counter[str] = Counter()
        self.on_confirmed: Callable[[bytes], None] = lambda task_id: None
        """Told of each task that the worker says it has cancelled."""

    # ---- the client

    def submit(self, arrival: TaskArrived) -> None:
        """A client submits a task."""
        self.tasks[arrival.task_id] = ModelTask(arrival)
        self._waiting.append(arrival.task_id)
        self._dispatch()

    def cancel(self, task_id: bytes) -> None:
        """A client cancels a task by force. While the balancer's request is on its way, no second one is sent."""
        task = self.tasks[task_id]
        if task.state is Held.WAITING:
            self._waiting.remove(task_id)
            self._end(task, "cancelled")
        elif task.state in (Held.RUNNING, Held.BALANCING) and self._is_registered:
            was_running = task.state is Held.RUNNING
            task.cancel_asked = True
            task.state = Held.CANCELLING
            if was_running:
                self._send(CancelRequested(task_id, force=True))

    def balance(self, task_id: bytes) -> None:
        """The balancer wants a task back that may be queued."""
        task = self.tasks[task_id]
        if task.state is Held.RUNNING and self._is_registered:
            task.state = Held.BALANCING
            self._send(CancelRequested(task_id, force=False))

    @property
    def is_done(self) -> bool:
        """Every task has ended for its client."""
        return all(task.state is Held.DONE for task in self.tasks.values())

    # ---- connections

    async def connect(self, address: str) -> ModelChannel:
        """Open a worker's connection."""
        await asyncio.sleep(self._rng.uniform(0.001, 0.02))
        if self.is_cut:
            raise LinkDown("cut")
        for earlier in self._channels:
            earlier.close()
        channel = ModelChannel(self, self._rng)
        self._channels = [channel]
        return channel

    async def listen(self, address: str) -> ModelMonitor:
        """Subscribe to what the monitors are told."""
        if self.is_cut:
            raise LinkDown("cut")
        monitor = ModelMonitor()
        self._monitors.append(monitor)
        return monitor

    def cut(self) -> None:
        """Break every connection, with what is on its way, until `restore`."""
        self.is_cut = True
        for channel in self._channels:
            channel.close()
        for monitor in self._monitors:
            monitor.close()
        self._channels.clear()
        self._monitors.clear()

    def restore(self) -> None:
        """Accept connections again."""
        self.is_cut = False

    # ---- what comes over connections

    def stall(self, seconds: float) -> None:
        """Handle nothing for so long, as a scheduler with much to do."""
        loop = asyncio.get_running_loop()
        self._stalled_until = max(self._stalled_until, loop.time() + seconds)
        self._tell(f"the scheduler falls behind for {seconds:.1f} s")
        loop.call_at(self._stalled_until, self._handle_inbox)

    def take(self, handle: Callable[[], None]) -> None:
        """Take a message, which is handled behind all that came before."""
        self._inbox.append(handle)
        self._handle_inbox()

    def _handle_inbox(self) -> None:
        while self._inbox and asyncio.get_running_loop().time() >= self._stalled_until:
            self._inbox.popleft()()

    def _send(self, message: WorkerMessage) -> None:
        """To whoever has the worker's identity now."""
        for channel in self._channels:
            channel.send(message)

    def on_farewell(self) -> None:
        """The identity's worker is gone: its tasks go to the end of the queue."""
        self._is_registered = False
        held, self._assigned = list(self._assigned), {}
        for task_id in held:
            task = self.tasks[task_id]
            if task.state is Held.CANCELLING:
                self._end(task, "cancelled")
            else:
                task.state = Held.WAITING
                self._waiting.append(task_id)

    def on_heartbeat(self, vitals: WorkerVitals) -> None:
        """Register the worker with its first heartbeat; answer each."""
        if not self._is_registered:
            self._is_registered = True
            self._queue_size = vitals.queue_size
            self._dispatch()
        self._send(WorkerEcho("tcp://storage:1"))

    def on_marker(self, marker: bytes) -> None:
        """A cancel of a task that there is not."""
        self._send(MarkerAnswered(marker))

    def on_result(self, notice: ResultNotice) -> None:
        """A result counts of a running task only."""
        task = self.tasks[notice.task_id]
        if notice.task_id not in self._assigned or task.state not in (Held.RUNNING, Held.BALANCING):
            self.faults["results refused"] += 1
            return
        self._release(notice.task_id)
        self._end(task, "value" if notice.succeeded else "error")
        task.ends[-1] += ":" + self._storage.objects[notice.object_id].decode("latin-1")[:80]
        self._dispatch()

    def on_answer(self, task_id: bytes, answer: CancelAnswer) -> None:
        """The worker's answer to a cancel."""
        task = self.tasks.get(task_id)
        if task is None or task.state not in (Held.CANCELLING, Held.BALANCING):
            return
        if answer is CancelAnswer.FAILED:
            task.state = Held.RUNNING
        elif task.state is Held.CANCELLING:
            self._release(task_id)
            self.on_confirmed(task_id)
            self._end(task, "cancelled")
        else:
            self._release(task_id)
            task.state = Held.WAITING
            self._waiting.append(task_id)
        self._dispatch()

    def _release(self, task_id: bytes) -> None:
        self._assigned.pop(task_id, None)

    def _end(self, task: ModelTask, how: str) -> None:
        task.state = Held.DONE
        task.ends.append(how)
        self._tell(f"client is told: {task.arrival.task_id.hex()[-4:]} {how}")

    def _dispatch(self) -> None:
        while self._is_registered and self._waiting and len(self._assigned) < self._queue_size:
            task_id = self._waiting.popleft()
            self._assigned[task_id] = None
            self.tasks[task_id].state = Held.RUNNING
            self._send_task(self.tasks[task_id].arrival)

    def _send_task(self, arrival: TaskArrived) -> None:
        """As Scaler 2.9 does: what the task asks for is told to monitors only."""
        if not arrival.capabilities:
            self._send(arrival)
            return
        self._send(replace(arrival, capabilities={"": 0}))
        for monitor in self._monitors:
            monitor.tell(CapabilitiesTold(arrival.task_id, arrival.capabilities))


class ModelMonitor:
    """One subscription: a word comes before or behind its task, one in twenty never."""

    def __init__(self) -> None:
        self._rng = random.Random(1)
        self._inbox: asyncio.Queue[CapabilitiesTold | None] = asyncio.Queue()
        self._is_closed = False

    def tell(self, told: CapabilitiesTold) -> None:
        """The scheduler tells it."""
        if self._rng.random() > 0.05:
            asyncio.get_running_loop().call_later(self._rng.uniform(0, 0.03), self._inbox.put_nowait, told)

    async def receive(self) -> Word:
        told = await self._inbox.get()
        if self._is_closed:
            raise LinkDown("cut")
        return lambda: told

    def close(self) -> None:
        """End the subscription."""
        self._is_closed = True
        self._inbox.put_nowait(None)


class ModelChannel:
    """One connection of a worker: in order, each message some milliseconds on its way."""

    def __init__(self, scheduler: Scheduler, rng: random.Random) -> None:
        self._scheduler = scheduler
        self._rng = rng
        self._inbox: asyncio.Queue[WorkerMessage | None] = asyncio.Queue()
        self._ended = asyncio.Event()
        self._arrivals = {"in": 0.0, "out": 0.0}

    def send(self, message: WorkerMessage) -> None:
        """The scheduler sends to the worker."""
        self._carry("in", lambda: self._inbox.put_nowait(message))

    def close(self) -> None:
        """End the connection."""
        self._ended.set()
        self._inbox.put_nowait(None)

    async def heartbeat(self, vitals: WorkerVitals) -> None:
        self._send(lambda: self._scheduler.on_heartbeat(vitals))

    async def announce_output(self, task_id: bytes, texts: Sequence[tuple[int, str]]) -> None:
        raise NotImplementedError("no client of the model has output streamed")

    async def announce_result(self, notice: ResultNotice) -> None:
        self._send(lambda: self._scheduler.on_result(notice))

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        self._send(lambda: self._scheduler.on_answer(task_id, answer))

    async def farewell(self) -> None:
        self._send(self._scheduler.on_farewell)

    async def send_marker(self, marker: bytes) -> None:
        self._send(lambda: self._scheduler.on_marker(marker))

    async def receive(self) -> WorkerMessage | None:
        message = await self._inbox.get()
        if self._ended.is_set():
            raise LinkDown("cut")
        return message

    async def watch(self) -> None:
        await self._ended.wait()
        raise LinkDown("cut")

    def _send(self, deliver: Callable[[], None]) -> None:
        if self._ended.is_set():
            raise LinkDown("cut")
        self._carry("out", lambda: self._scheduler.take(deliver))

    def _carry(self, way: str, deliver: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        at = max(loop.time() + self._rng.uniform(0.0005, 0.02), self._arrivals[way] + 1e-6)
        self._arrivals[way] = at
        loop.call_at(at, lambda: None if self._ended.is_set() else deliver())
