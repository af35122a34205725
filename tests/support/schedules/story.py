"""One random schedule, told from its seed alone: what happens to 1 to 14 tasks, and what is promised of them."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from container.batch_job_wire.protocol import nested_client_name
from engine.aws.errors import AwsError
from engine.config.settings import Pack
from engine.errors import StartupError
from engine.messages import TaskArrived
from engine.tasks.nested_tasks import most_lent
from tests.support.schedules.batch_model import JOB_MIB, Batch, Fate
from tests.support.schedules.bucket_model import Bucket
from tests.support.schedules.model_engine import ModelEngine, note_task
from tests.support.schedules.scaler_model import CLIENT, Held, ModelStorage, Scheduler
from tests.support.schedules.session_model import ModelSession, Troubles
from tests.support.schedules.virtual_loop import NothingLeftToDo, VirtualLoop

PATIENCE_S = 4_000.0
"""Virtual seconds within which every task must have ended for its client."""
ASKING = 10
"""In the last of so many seeds tasks ask for capabilities."""
PACKS: dict[int, Pack] = {2: 3, 5: 2, 7: 14, 8: "auto"}
"""How tasks are packed under seeds with this last digit."""
PARALLEL: tuple[tuple[int, int, int], ...] = ((1, 2, 0), (4, 3, 1))
"""Under seeds with such a last digit whose other digits, divided by the second number, leave the third, jobs run
several tasks at once.
"""
PARALLEL_PACKS: tuple[Pack, ...] = (3, "auto", 5, 14)
"""How tasks are packed there."""
HASTY, HASTY_REST = 40, 7
"""Of so many seeds in the one with this rest most tasks take so little time that their results are written together."""
LAGGING = (11, 4)
"""Divided by the one number, seeds leave the other where the scheduler is behind when the engine comes back."""
REGRETTING = (17, 5)
"""Divided by the one number, seeds leave the other where tasks are cancelled while a successor looks for their jobs."""
ON_ONE_MACHINE = (13, (1, 2))
"""Divided by the one number, seeds leave one of the others where a killed engine is succeeded at once."""
BUSY = (15, (1, 6, 14))
"""Divided by the one number, seeds leave one of the others where the engine's loop comes late to its turns."""
TURNS_LATE, LATE_S = 0.3, 0.3
"""Share of such turns, and by how much at the most."""
BUSY_PUT_S = 0.15
"""How long a result takes there into object storage."""
LATE_OBJECTS = (19, 18)
"""Divided by the one number, seeds leave the other where some arguments come later than the tasks that need them."""
NESTING = (10, 3)
"""Divided by the one number, seeds leave the other where functions submit tasks of their own and wait for them."""
RESIZING = (3, 1)
"""Of those seeds, divided by the one number, the ones that leave the other have their slots changed meanwhile."""
NESTING_PACKS: dict[int, Pack] = {2: 3, 3: "auto"}
"""How tasks are packed under those seeds, by the digit before the last, divided by five."""
RETRYING = 7
"""In the last of so many seeds some tasks need more memory than they have, or lose every host of a job."""
MEMORY_RETRIES = 3
NESTED_FROM = 0x40
"""Ids of nested tasks lie so far above those of their parents."""
TIDY_S = 1_500.0
"""Virtual seconds after which nothing of any task may be left: a fence is kept for ten minutes."""


@dataclass
class Plan:
    """What a seed makes happen. Times in virtual seconds."""

    slots: int
    queue: int
    lag_s: float
    tasks: list[tuple[float, bytes, Fate, int]] = field(default_factory=list)
    cancels: list[tuple[float, bytes]] = field(default_factory=list)
    balances: list[tuple[float, bytes]] = field(default_factory=list)
    cuts: list[tuple[float, float]] = field(default_factory=list)
    kills: list[tuple[float, float]] = field(default_factory=list)
    resizes: list[tuple[float, int]] = field(default_factory=list)
    """When an operator sets the slots, and to how many: never to more than there are at first."""
    stalls: list[tuple[float, float]] = field(default_factory=list)
    """When the scheduler handles nothing, and for how long."""
    troubles: Troubles = field(default_factory=Troubles)
    expiry_days: int | None = None
    """The bucket's lifecycle rule."""
    wait_s: float = 0.0
    """For so long each job waits for capacity."""
    pack: Pack = "off"
    parallel: int = 1
    """How many tasks of a pack a job runs at once."""
    entry_s: float | None = None
    """What an entry of a pack costs beside its function, at the most; None: as ever."""
    is_asking: bool = False
    """The tasks ask for capabilities, of two shapes."""
    is_retrying: bool = False
    """Tasks that were killed for their memory are sent again."""
    is_on_one_machine: bool = False
    """A successor sees that its predecessor is gone: no lease is waited for, and listings lag behind."""
    is_busy: bool = False
    """The engine has no time for its loop now and then."""
    late_objects: dict[bytes, float] = field(default_factory=dict)
    """By how many seconds an argument comes behind its task, into Scaler's object storage."""
    nested: dict[bytes, Fate] = field(default_factory=dict)
    """What becomes of the tasks that the functions of these tasks submit, at each call one, and wait for."""
    wall_speed: float = 1.0
    patience_s: float = PATIENCE_S

    @classmethod
    def of(cls, rng: random.Random) -> Plan:
        """Roll the dice."""
        plan = cls(rng.randint(1, 4), rng.randint(1, 8), rng.choice((0.0, 1.0, 5.0)))
        window = rng.choice((0.0, 1.0, 10.0))
        for number in range(rng.randint(1, 14)):
            task_id = number.to_bytes(16, "big")
            size = rng.choice((10, 10, 10, 3_000))
            plan.tasks.append((rng.uniform(0, window), task_id, _fate(rng), size))
            if rng.random() < 0.2:
                plan.cancels.append((rng.uniform(0, window + 15), task_id))
            if rng.random() < 0.1:
                plan.balances.append((rng.uniform(0, window + 10), task_id))
        plan.cuts = [(rng.uniform(1, 20), rng.choice((0.2, 3.0, 25.0))) for _ in range(rng.choice((0, 0, 1, 2)))]
        plan.kills = [(rng.uniform(1, 20), rng.uniform(0.1, 10)) for _ in range(rng.choice((0, 0, 1, 2)))]
        plan.troubles = _troubles(rng)
        return plan


def _let_retry(plan: Plan, rng: random.Random) -> None:
    """A job's three attempts, and three jobs after it; more memory than three doublings give is an error."""
    plan.is_retrying = True
    for _, _, fate, _ in plan.tasks:
        fate.hosts_lost = rng.choice((fate.hosts_lost,) * 4 + (3, 7))
        fate.needs_mib = rng.choice((0, 0, 0, JOB_MIB + 1, 8 * JOB_MIB, 9 * JOB_MIB))


def _hasten(plan: Plan, rng: random.Random) -> None:
    plan.entry_s = 0.06
    for _, _, fate, _ in plan.tasks:
        fate.seconds = rng.choice((0.005, 0.01, 0.01, 0.02, 0.02, 3.0))


def _let_lag(plan: Plan, rng: random.Random) -> None:
    """Around each cut and kill, of which there is one at least."""
    if not plan.cuts and not plan.kills:
        plan.cuts.append((rng.uniform(1, 20), 0.2))
    for at, _ in (*plan.cuts, *plan.kills):
        plan.stalls.append((max(0.0, at - rng.uniform(0, 3)), rng.uniform(0.5, 8)))


def _let_regret(plan: Plan, rng: random.Random) -> None:
    """After each kill, of which there is one at least; listings lag behind, as the jobs of a moment ago do."""
    plan.lag_s, plan.is_on_one_machine = 5.0, True
    if not plan.kills:
        plan.kills.append((rng.uniform(0.3, 5), 0.1))
    for at, back in plan.kills:
        for _, task_id, _, _ in plan.tasks:
            if rng.random() < 0.5:
                plan.cancels.append((at + back + rng.uniform(0, 8), task_id))


def _delay_objects(plan: Plan, rng: random.Random) -> None:
    """Of half of the tasks, most of them by longer than a read is waited for in a slot."""
    plan.late_objects = {
        task_id: rng.choice((0.5, 4.0, 10.0, 40.0)) for _, task_id, _, _ in plan.tasks if rng.random() < 0.5
    }


def _nest(plan: Plan, rng: random.Random) -> None:
    """Some of the tasks have tasks of their own, and a few of those again.

    The worker's queue has room for them all: behind one that is full of others a nested task is never sent.
    """
    plan.queue = 1_000
    for _, task_id, _, _ in plan.tasks:
        if rng.random() < 0.5:
            plan.nested[task_id] = _fate(rng)
            if rng.random() < 0.3:
                plan.nested[nested_id(task_id, 0)] = _fate(rng)


def _resize(plan: Plan, rng: random.Random) -> None:
    """Below the number of parents that wait, mostly; in half of the plans for good."""
    plan.slots = max(2, plan.slots)
    at = rng.uniform(1, 15)
    plan.resizes = [(at, 1)]
    if rng.random() < 0.5:
        plan.resizes.append((at + rng.uniform(0.1, 30), rng.randint(1, plan.slots)))


def nested_id(parent: bytes, call: int) -> bytes:
    """Make the id of the task that the function of `parent` submits at this call, counted from 0."""
    number = int.from_bytes(parent, "big") + NESTED_FROM + (call << 8)
    return number.to_bytes(16, "big")


def _fate(rng: random.Random) -> Fate:
    ends = rng.choice(("value",) * 8 + ("error", "memory"))
    seconds = rng.choice((0.01, 0.5, 2.0, 8.0)) * rng.uniform(0.5, 1.5)
    return Fate(seconds, rng.choice((0,) * 9 + (1,)), ends)


def _troubles(rng: random.Random) -> Troubles:
    troubles = Troubles(lost_answers=rng.choice((0.0, 0.0, 0.01, 0.05)))
    for windows, share in ((troubles.throttled, 0.3), (troubles.down, 0.15)):
        if rng.random() < share:
            start = rng.uniform(0, 20)
            windows.append((start, start + rng.choice((0.5, 5.0, 20.0))))
    return troubles


@dataclass
class Story:
    """What happened under one seed; `broken` are the promises that did not hold."""

    seed: int
    lines: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return "\n".join([f"seed {self.seed}", *self.lines, *(f"BROKEN: {each}" for each in self.broken)])


def run_story(seed: int) -> Story:
    """Run the schedule of a seed: the same story each time."""
    rng = random.Random(seed)
    plan = Plan.of(rng)
    plan.is_asking = seed % ASKING == ASKING - 1
    plan.pack = PACKS.get(seed % ASKING, "off")
    if any(seed % 10 == digit and seed // 10 % number == rest for digit, number, rest in PARALLEL):
        plan.pack, plan.parallel = PARALLEL_PACKS[seed // 60 % 4], 2 + seed // 240 % 2
    if seed % LAGGING[0] == LAGGING[1]:
        _let_lag(plan, random.Random(seed))
    if seed % HASTY == HASTY_REST:
        _hasten(plan, random.Random(seed))
    plan.is_on_one_machine = seed % ON_ONE_MACHINE[0] in ON_ONE_MACHINE[1]
    plan.is_busy = seed % BUSY[0] in BUSY[1]
    if seed % REGRETTING[0] == REGRETTING[1]:
        _let_regret(plan, random.Random(seed))
    if seed % LATE_OBJECTS[0] == LATE_OBJECTS[1]:
        _delay_objects(plan, random.Random(seed))
    if seed % NESTING[0] == NESTING[1]:
        _nest(plan, random.Random(seed))
        plan.pack = NESTING_PACKS.get(seed // 10 % 5, "off")
        plan.parallel = 2 if plan.pack != "off" and seed // 50 % 3 == 0 else 1
        if seed % RESIZING[0] == RESIZING[1]:
            _resize(plan, random.Random(seed))
    if seed % RETRYING == RETRYING - 1:
        _let_retry(plan, random.Random(seed))
    return run_plan(plan, rng, seed)


def run_plan(plan: Plan, rng: random.Random, seed: int = 0, watch: Callable[[Bucket], None] | None = None) -> Story:
    """Run a plan, whose details `rng` decides. `watch` is called every second with what S3 holds."""
    story = Story(seed)
    loop = VirtualLoop(lambda: rng.uniform(0.002, 0.08), _lateness(plan, seed))
    loop.wall_speed = plan.wall_speed
    loop.set_task_factory(note_task)
    loop.set_exception_handler(lambda _, context: _note_defect(story, context))
    logging.disable(logging.CRITICAL)
    try:
        with patch.object(time, "monotonic", loop.time), patch.object(time, "time", loop.wall_time):
            loop.run_until_complete(_World(loop, rng, plan, story, watch or (lambda _: None)).run())
    except NothingLeftToDo:
        story.broken.append("everything waits for what never comes")
    finally:
        logging.disable(logging.NOTSET)
        story.seconds = loop.time()
        _close(loop)
    return story


def _lateness(plan: Plan, seed: int) -> Callable[[], float]:
    rng = random.Random(seed)
    return lambda: rng.uniform(0, LATE_S) if plan.is_busy and rng.random() < TURNS_LATE else 0.0


def _note_defect(story: Story, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), asyncio.CancelledError | None):
        story.broken.append(f"{context.get('message')}: {context.get('exception')!r}")


def _close(loop: VirtualLoop) -> None:
    """End what still runs, which takes a turn for each task that waits for another one."""
    loop.set_exception_handler(lambda _, context: None)
    while tasks := asyncio.all_tasks(loop):
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()


class _World:
    """Scaler, AWS and one engine after the other."""

    def __init__(
        self, loop: VirtualLoop, rng: random.Random, plan: Plan, story: Story, watch: Callable[[Bucket], None]
    ) -> None:
        self._watch = watch
        self._loop = loop
        self._rng = rng
        self._plan = plan
        self._story = story
        self._storage = ModelStorage()
        self._storage.put_s = BUSY_PUT_S if plan.is_busy else self._storage.put_s
        self._scheduler = Scheduler(rng, self._storage, self._tell)
        self._bucket = Bucket(loop, plan.expiry_days)
        self._fates = {task_id: fate for _, task_id, fate, _ in plan.tasks}
        self._batch = Batch(loop, rng, self._bucket, self._fates, self._tell, plan.lag_s)
        self._batch.wait_s = plan.wait_s
        self._nested: defaultdict[bytes, list[bytes]] = defaultdict(list)
        """Of each task those that its function submitted, one a call."""
        self._cancelled: set[bytes] = set()
        """Tasks whose cancel was confirmed."""
        self._scheduler.on_confirmed = self._note_cancelled
        self._batch.on_call, self._batch.is_waiting = self._note_call, self._is_waiting
        self._batch.list_open = self._list_open
        self._batch.entry_s = plan.entry_s or self._batch.entry_s
        self._engine = self._new_engine()

    async def run(self) -> None:
        """Let it happen, then look whether each promise held."""
        self._schedule()
        self._starting = asyncio.ensure_future(self._start())
        last_event = max([at + back for at, back in (*self._plan.kills, *self._plan.cuts)], default=0.0)
        await self._until(lambda: self._is_all_submitted() and self._scheduler.is_done, self._plan.patience_s)
        await asyncio.sleep(max(0.0, last_event + 1 - self._loop.time()))
        await self._until(self._is_tidy, TIDY_S)
        self._judge()

    def _is_all_submitted(self) -> bool:
        return all(task_id in self._scheduler.tasks for _, task_id, _, _ in self._plan.tasks)

    def _schedule(self) -> None:
        at = self._loop.call_at
        for moment, task_id, _, size in self._plan.tasks:
            at(moment, self._submit, task_id, size)
        for moment, task_id in self._plan.cancels:
            at(moment, self._if_there, self._scheduler.cancel, task_id)
        for moment, task_id in self._plan.balances:
            at(moment, self._if_there, self._scheduler.balance, task_id)
        for moment, seconds in self._plan.cuts:
            at(moment, self._cut)
            at(moment + seconds, self._scheduler.restore)
        for moment, slots in self._plan.resizes:
            at(moment, self._resize, slots)
        for moment, seconds in self._plan.stalls:
            at(moment, self._scheduler.stall, seconds)
        for moment, seconds in self._plan.kills:
            at(moment, self._kill, seconds)

    def _note_cancelled(self, task_id: bytes) -> None:
        self._cancelled.add(task_id)
        if self._batch.is_calling(task_id):
            self._story.broken.append(f"the function of {task_id.hex()[-4:]} runs on after its cancel was confirmed")

    def _note_call(self, task_id: bytes) -> None:
        if task_id in self._cancelled:
            self._story.broken.append(f"the function of {task_id.hex()[-4:]} is called after its cancel was confirmed")
        self._submit_nested(task_id)

    def _submit_nested(self, parent: bytes) -> None:
        fate = self._plan.nested.get(parent)
        if fate is not None:
            task_id = nested_id(parent, self._batch.calls[parent] - 1)
            self._nested[parent].append(task_id)
            self._fates[task_id] = replace(fate)
            self._submit(task_id, 10, f"Client|{nested_client_name(parent)}|0".encode())

    def _is_waiting(self, parent: bytes) -> bool:
        return any(self._scheduler.tasks[each].state is not Held.DONE for each in self._nested.get(parent, ()))

    def _list_open(self) -> set[bytes]:
        return {task_id for task_id, task in self._scheduler.tasks.items() if task.state is not Held.DONE}

    def _submit(self, task_id: bytes, size: int, client: bytes = CLIENT) -> None:
        serializer, function, argument = CLIENT.ljust(32, b"s"), b"f" * 32, b"a" * 16 + task_id
        objects = self._storage.objects
        objects[serializer] = b"serializer"
        objects[function] = b"function"
        data = random.Random(size).randbytes(size) + task_id
        if (late := self._plan.late_objects.get(task_id)) is None:
            objects[argument] = data
        else:
            self._loop.call_later(late, self._storage.add, argument, data)
        self._tell(f"client submits {task_id.hex()[-4:]}")
        asked = {"vcpus": 1 + task_id[-1] % 2} if self._plan.is_asking else {}
        self._scheduler.submit(TaskArrived(task_id, client, serializer, function, (argument,), capabilities=asked))

    def _if_there(self, act: Callable[[bytes], None], task_id: bytes) -> None:
        if task_id in self._scheduler.tasks:
            self._tell(f"{act.__name__} {task_id.hex()[-4:]}")
            act(task_id)

    def _cut(self) -> None:
        self._tell("the link is cut")
        self._scheduler.cut()

    def _resize(self, slots: int) -> None:
        if not self._engine.is_killed and self._engine.backend is not None:
            self._tell(f"an operator allows {slots} jobs")
            self._engine.tasks.change_concurrency(slots)

    def _kill(self, seconds: float) -> None:
        if self._engine.is_killed:
            return
        self._tell("the engine is killed")
        self._engine.kill()
        for channel in list(self._scheduler._channels):
            channel.close()
        self._loop.call_later(seconds, self._succeed)

    def _succeed(self) -> None:
        self._starting = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        """Start an engine, and another one when that can't start: whatever supervises it would do that."""
        while True:
            engine = self._engine = self._new_engine()
            self._tell("an engine starts")
            try:
                await engine.start()
            except (AwsError, StartupError) as error:
                if engine.is_killed:
                    return
                self._tell(f"it does not: {error}")
                engine.kill()
                await asyncio.sleep(3.0)
            except asyncio.CancelledError:
                if not engine.is_killed:
                    raise
                return
            else:
                return

    def _new_engine(self) -> ModelEngine:
        session = ModelSession(self._loop, self._rng, self._bucket, self._batch, self._plan.troubles)
        retries = MEMORY_RETRIES if self._plan.is_retrying else 0
        plan, packs = self._plan, self._packs()
        return ModelEngine(
            self._rng,
            self._scheduler,
            self._storage,
            session,
            plan.slots,
            plan.queue,
            packs,
            retries,
            parallel=self._parallel(),
            sees_death=plan.is_on_one_machine,
        )

    def _packs(self) -> Pack:
        """A successor may pack in another way."""
        if self._plan.pack == "off" or not self._plan.kills:
            return self._plan.pack
        return self._rng.choice((self._plan.pack, 2, 5, "off"))

    def _parallel(self) -> int:
        """And another number of them at once."""
        if self._plan.parallel == 1 or not self._plan.kills:
            return self._plan.parallel
        return self._rng.choice((1, self._plan.parallel, 4))

    async def _until(self, condition: Callable[[], bool], patience_s: float) -> None:
        deadline = self._loop.time() + patience_s
        while not condition() and self._loop.time() < deadline and not self._engine.lost:
            await asyncio.sleep(1.0)
            self._watch(self._bucket)

    def _left(self) -> list[str]:
        return [key for key in self._bucket.objects if not key.endswith("/lease") and not _is_fence(key)]

    def _is_tidy(self) -> bool:
        tasks = self._engine.tasks
        return not (self._engine.is_killed or tasks._records or tasks.slots_used or self._left())

    # ---- what is promised

    def _judge(self) -> None:
        broken = self._story.broken
        if self._engine.lost:
            broken.append(f"the engine ended: {self._engine.lost}")
        asked = {task_id for _, task_id in self._plan.cancels}
        for task_id, task in self._scheduler.tasks.items():
            self._judge_task(task_id, task.ends, task_id in asked)
        if self._engine.tasks._records:
            states = sorted(record.state.value for record in self._engine.tasks._records.values())
            broken.append(f"records are left: {states}, {self._engine.tasks.slots_used} slots used")
        if self._left():
            broken.append(f"left in S3: {self._left()}")
        # what a predecessor's job was at when its hosts were lost is sent again at once, whatever runs meanwhile
        allowed = self._plan.slots * (2 if self._plan.is_retrying and self._plan.kills else 1)
        # jobs that are decided on while tasks lend their slots may be asked for when those go on, all at once
        allowed += min(len(self._nested), most_lent(self._plan.slots)) if self._plan.pack != "off" else 0
        if self._batch.most_living > allowed:
            broken.append(f"{self._batch.most_living} jobs lived at once, {allowed} allowed")

    def _judge_task(self, task_id: bytes, ends: list[str], was_asked: bool) -> None:
        name, broken = task_id.hex()[-4:], self._story.broken
        if len(ends) != 1:
            broken.append(f"task {name} ended {len(ends)} times: {ends}")
            return
        how, _, text = ends[0].partition(":")
        fate = self._fates[task_id]
        wanted = {"value": "value", "error": "error", "memory": "error"}[fate.ends]
        starved = self._batch.starved[task_id]
        # a result of a kill that came while no engine was there has no payload behind it any more
        if fate.needs_mib > JOB_MIB << MEMORY_RETRIES or (starved and self._plan.kills and how == "error"):
            wanted = "error"
        if how == "cancelled" and not was_asked:
            broken.append(f"task {name} was cancelled, and nobody had asked")
        elif how != "cancelled" and how != wanted and not (how == "error" and task_id in self._batch.doubtful):
            broken.append(f"task {name} should have ended as {wanted}: {ends[0]}")
        elif how == "value" and text != f"result of {task_id.hex()}":
            broken.append(f"task {name} got another value: {text}")
        # a task whose packed job was ended for the sake of a cancelled one may be called again, as after a lost host
        allowed = 1 + self._batch.hosts_lost[task_id] + (self._plan.pack != "off") * self._batch.interrupted[task_id]
        allowed += starved + self._batch.unwritten[task_id] + self._batch.mates_lost[task_id]
        if fate.ends == "memory" and self._plan.is_retrying:
            allowed += MEMORY_RETRIES * (1 + len(self._plan.kills))
        if self._batch.calls[task_id] > allowed:
            broken.append(f"the function of {name} was called {self._batch.calls[task_id]} times, {allowed} allowed")

    def _tell(self, line: str) -> None:
        self._story.lines.append(f"{self._loop.time():8.3f} {line}")


def _is_fence(key: str) -> bool:
    """Not a mark of a task below it."""
    return key.rpartition("/")[0].endswith("/fence")


def run_stories(first: int, count: int) -> list[Story]:
    """Run the seeds from `first` on; give the stories in which a promise broke."""
    return [story for story in map(run_story, range(first, first + count)) if story.broken]
