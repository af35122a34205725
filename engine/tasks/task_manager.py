"""Task manager, the owner of every task's state: queue, slots, loading, cancels, delivery.

Data flows one way: the worker link puts tasks in, the backend runs them, outcomes go into Scaler's object storage
and are announced; a barrier later the backend may forget them. The states and what may follow what are in
`task_record`. No bytes of a task are ever unpickled here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, ParamSpec

from container.batch_job_quoting import quote_foreign
from engine.aws.batch_states import BatchState
from engine.backends.protocol import CancelRefused, HPCBackend
from engine.causes import CauseKind, FailureCause
from engine.messages import CancelAnswer, CancelRequested, LinkDown, ObjectsDeleted, TaskArrived
from engine.model import CancelReason, JobObservation, Outcome, Placement, PrintedPart, TaskWork
from engine.storage.object_cache import ObjectStalled
from engine.tasks.deliveries import Deliveries, Replies, Storage
from engine.tasks.known_functions import KnownFunctions
from engine.tasks.nested_tasks import NestedTasks
from engine.tasks.task_events import TaskEvents
from engine.tasks.task_loader import TaskLoader
from engine.tasks.task_queue import TaskQueue
from engine.tasks.task_record import ENDING, UNBEGUN, UNSENT, TaskRecord, TaskState, requested_shape
from engine.tasks.task_steps import TaskSteps
from engine.tasks.wishes import BrokenWish

logger = logging.getLogger(__name__)

P = ParamSpec("P")

CLAIM_GRACE_S: Final = 20.0
"""How long a job is kept whose task did not come back, once the scheduler has sent all that it wants of us."""


SLOTS_A_REFILL: Final = 16
"""A submission for every slot that gets free is thousands of calls; one for each sixteenth of the slots is not."""


def _always() -> bool:
    return True


class AWSHPCTaskManager:
    """Task queuing, priority, concurrency control, submission and delivery. One a worker manager.

    `may_spend` says whether the budget lets more jobs be submitted.
    """

    def __init__(
        self,
        storage: Storage,
        max_concurrent_jobs: int,
        on_lost_ownership: Callable[[str], None],
        events: TaskEvents,
        may_spend: Callable[[], bool] = _always,
    ) -> None:
        self._opened: HPCBackend | None = None
        self._max_concurrent_jobs = max_concurrent_jobs
        self._report_lost_ownership = on_lost_ownership
        self._events = events
        self._may_spend = may_spend
        self._replies: Replies | None = None
        self._records: dict[bytes, TaskRecord] = {}
        self._functions = KnownFunctions()
        self._queue = TaskQueue()
        self._nested = NestedTasks()
        self._loader = TaskLoader(storage.get, self.start_queued)
        self._loads: dict[bytes, asyncio.Task[None]] = {}
        self._stalled: dict[bytes, asyncio.Task[None]] = {}
        """Loads that wait for what is not there."""
        self._slots_used = 0
        self._accepting = True
        self._is_all_assigned = False
        self._paused = ""
        self._deliveries = Deliveries(storage.put)
        self._idle = asyncio.Event()
        self._idle.set()
        self._claim_deadline: asyncio.TimerHandle | None = None
        self._steps = TaskSteps(self._fail_broken)

    # ---- state for others

    @property
    def queued(self) -> int:
        """Number of tasks that wait for a slot, or for an object that is not there."""
        return len(self._queue) + len(self._stalled)

    @property
    def slots_used(self) -> int:
        """Tasks that count against `slots`, a predecessor's unclaimed jobs included."""
        unclaimed = None if self._opened is None else self._opened.unclaimed_jobs
        return self._slots_used + (unclaimed or 0) * self._tasks_a_job

    @property
    def slots_lent(self) -> int:
        """Slots that jobs lend to nested tasks of their own while they wait for those."""
        return self._nested.lent(self.slots)

    @property
    def is_idle(self) -> bool:
        """No task in flight and no delivery unconfirmed; queued ones may wait."""
        return self._idle.is_set()

    @property
    def max_concurrent_jobs(self) -> int:
        """Jobs (children of arrays counted singly) that may be under way at once."""
        return self._max_concurrent_jobs

    @property
    def jobs_under_way(self) -> int:
        """Jobs that count against `max_concurrent_jobs`; where each task gets one, before it is submitted, too."""
        if self._opened is None or not self._opened.bounds_jobs:
            return self.slots_used
        return self._opened.jobs_under_way

    @property
    def slots(self) -> int:
        """Tasks that may be under way at once: with packing a job runs several."""
        return self._max_concurrent_jobs * self._tasks_a_job

    @property
    def paused(self) -> str:
        """Why nothing can be submitted at present; empty while all is well."""
        return self._paused

    def knows(self, task_id: bytes) -> bool:
        """It is ours, or a predecessor's whose job is: nobody else may run it."""
        return task_id in self._records or self._backend.has_orphan(task_id)

    def use_backend(self, backend: HPCBackend) -> None:
        """Hand tasks to this backend, which was opened with this task manager as its observer."""
        self._opened = backend

    def connect(self, replies: Replies) -> None:
        """Answer the scheduler through `replies` from now on."""
        self._replies = replies
        self._deliveries.connect(replies)

    # ---- from the scheduler

    def on_task(self, task: TaskArrived) -> None:
        """Take a task. One that we hold already (the scheduler handed it on and back) is attached, not run again."""
        held = self._records.get(task.task_id)
        if held is not None:
            self._claim(held)
            return
        record = self._records[task.task_id] = TaskRecord(task, requested_shape(task))
        self._functions.meet(record)
        rank = self._nested.meet(record)
        self._tell(self._events.on_arrived, record)
        if not self._adopt(record):
            self._queue.push(task.task_id, rank)
        self._bound_jobs()  # its parent may lend a slot from now on
        self.start_queued()

    def on_cancel(self, cancel: CancelRequested) -> None:
        """Apply Scaler's semantics of a cancel: what doesn't run yet is dropped, what runs ends only by force."""
        record = self._records.get(cancel.task_id)
        match record.state if record else None:
            case None:
                self._answer(cancel.task_id, CancelAnswer.NOT_FOUND)
            case TaskState.CANCELLING | TaskState.TERMINATING:
                assert record is not None
                record.cancel_requested = True
            case TaskState.DELIVERING:
                # the result goes out next: the scheduler takes it only from a task whose cancel was refused
                assert record is not None
                self._refuse(record)
            case TaskState.DELIVERED:
                # the scheduler cancelled before the result reached it, so it drops that and waits for this answer
                self._answer(cancel.task_id, CancelAnswer.CANCELED)
            case TaskState.SUBMITTED | TaskState.ADOPTING if not cancel.force:
                assert record is not None
                self._refuse(record)
            case TaskState() as state if state in UNBEGUN and not cancel.force and self._may_have_job(cancel.task_id):
                assert record is not None
                self._refuse(record)
            case TaskState.COLLECTING | TaskState.PAUSED if not cancel.force:
                assert record is not None
                self._hand_back(record)
            case _:
                assert record is not None
                record.cancel_requested = True
                self._withdraw(record, "cancelled by its client" if cancel.force else "")

    def on_objects_deleted(self, deleted: ObjectsDeleted) -> None:
        """Drop deleted objects from the cache."""
        for object_id in deleted.object_ids:
            self._loader.drop(object_id)

    def on_all_assigned(self) -> None:
        """The scheduler had room for more and sent no more: what is not claimed by now is wanted by nobody.

        Until then nothing is forgotten or terminated: a task of ours may wait behind all others in its queue.
        """
        self._is_all_assigned = True
        self._deliveries.release(each.task_id for each in self._records.values() if not each.claimed)
        loop = asyncio.get_running_loop()
        self._claim_deadline = loop.call_later(CLAIM_GRACE_S, self._withdraw_unclaimed)

    def on_link_lost(self) -> None:
        """The scheduler hands out anew, when we come back, what we held: only jobs are kept, for their tasks."""
        if self._claim_deadline is not None:
            self._claim_deadline.cancel()
        self._is_all_assigned = False
        self._deliveries.on_link_lost()
        for record in list(self._records.values()):
            record.claimed = record.cancel_requested = False
            if record.state in UNBEGUN:
                self._end(record)
            elif record.state in (TaskState.COLLECTING, TaskState.PAUSED, TaskState.SUBMITTED):
                self._enter(record, TaskState.ADOPTING)

    # ---- from the backend

    def on_submitted(self, placement: Placement) -> None:
        """See `BackendObserver`: these tasks have a job now; their bytes leave the memory."""
        self._tell(self._events.on_placed, placement)
        for task_id in placement.task_ids:
            self._loader.release(task_id)
            record = self._records.get(task_id)
            if record is None:
                continue
            record.placement, record.batch_state = placement, None
            record.shape = placement.shape or record.shape
            self._tell(self._events.on_changed, record)
            if record.state in (TaskState.COLLECTING, TaskState.PAUSED):
                self._enter(record, TaskState.SUBMITTED)
        self.start_queued()

    def on_state(self, task_id: bytes, state: BatchState) -> None:
        """See `BackendObserver`: Batch reports another state of the task's job."""
        record = self._records.get(task_id)
        if record is not None:
            record.batch_state = state
            self._tell(self._events.on_changed, record)

    def on_observation(self, task_id: bytes, observation: JobObservation) -> None:
        """See `BackendObserver`: for people to read; nothing here follows from it."""
        self._tell(self._events.on_observed, task_id, observation)

    async def on_printed(self, part: PrintedPart) -> bool:
        """See `BackendObserver`: send it to the client of a task that runs."""
        record = self._records.get(part.task_id)
        if record is None or record.state is not TaskState.SUBMITTED or not record.task.stream_output:
            return False
        return await self._deliveries.stream(part)

    def on_orphans_found(self) -> None:
        """See `BackendObserver`: what waits for a slot, and would for its own job's, is attached."""
        for record in list(self._records.values()):
            if record.state in UNBEGUN:
                self._adopt(record)

    def on_slots_freed(self) -> None:
        """See `BackendObserver`: jobs of a predecessor take fewer slots."""
        self.start_queued()

    async def on_outcome(self, outcome: Outcome) -> None:
        """See `BackendObserver`: deliver the outcome; ignored when the task is ending already."""
        record = self._records.get(outcome.task_id)
        if record is None or record.state in ENDING:
            return
        await self._steps.guard(record, self._deliver(record, outcome))

    def on_paused(self, reason: str) -> None:
        """See `BackendObserver`: AWS refuses us, for a time."""
        self._paused = reason
        logger.warning("paused, no task fails: %s", reason)
        self._move_all(TaskState.COLLECTING, TaskState.PAUSED)

    def on_resumed(self) -> None:
        """See `BackendObserver`: AWS accepts our calls again."""
        self._paused = ""
        logger.info("resumed: AWS accepts our calls again")
        self._move_all(TaskState.PAUSED, TaskState.COLLECTING)
        self.start_queued()

    def on_lost_ownership(self, reason: str) -> None:
        """See `BackendObserver`: the lease is lost; the worker manager ends."""
        self._report_lost_ownership(reason)

    # ---- from the operator

    def cancel_by_operator(self, task_id: bytes, why: str) -> bool:
        """End a task; its client gets a RuntimeError that says `why`. False: it is at its end already."""
        record = self._records.get(task_id)
        if record is None or record.state in ENDING:
            return False
        is_new = record.state in UNBEGUN and not self._may_have_job(task_id)
        self._queue.discard(task_id)
        self._enter(record, TaskState.TERMINATING)
        self._steps.start(record, self._end_by_operator(record, is_new, why))
        return True

    def change_concurrency(self, max_concurrent_jobs: int) -> None:
        """Change the slots from now on; what runs beyond a lower bound goes on."""
        self._max_concurrent_jobs = max_concurrent_jobs
        self._bound_jobs()
        self.start_queued()

    # ---- life cycle

    async def settle(self, barrier: Callable[[], Awaitable[None]]) -> None:
        """Forget what was delivered once a barrier proved that it was received. Raises what `barrier` raises."""
        await self._deliveries.settle(barrier, self._backend.forget, self._on_confirmed)

    def hold_back(self) -> None:
        """Start nothing more; what has no job yet waits in the queue again, whatever it waited for.

        Nested tasks go on: a job that runs may need their results to end.
        """
        self._accepting = False
        for record in list(self._records.values()):
            if record.state in UNSENT and not record.is_nested and self._backend.take_back(record.task_id):
                self._queue_again(record)

    async def drain(self, timeout: float | None) -> bool:
        """Start nothing more and wait until what runs is delivered and confirmed. False after `timeout` seconds."""
        self._accepting = False
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return True

    def accept(self) -> None:
        """Start tasks again after a drain."""
        self._accepting = True
        self.start_queued()

    def start_queued(self) -> None:
        """Start what waits and may; call it whenever more may than before."""
        while (record := self._next_to_start()) is not None:
            self._queue.take(record.task_id)
            self._enter(record, TaskState.LOADING)
            self._loads[record.task_id] = self._steps.start(record, self._load(record))

    async def close(self) -> None:
        """End whatever still runs in the background."""
        self.on_link_lost()
        await self._steps.close()
        await self._loader.close()

    # ---- inside

    @property
    def _backend(self) -> HPCBackend:
        assert self._opened is not None, "no task comes before the backend is open"
        return self._opened

    @property
    def _tasks_a_job(self) -> int:
        return 1 if self._opened is None else self._opened.tasks_a_job

    def _next_to_start(self) -> TaskRecord | None:
        """The first in the queue that may start now."""
        unclaimed = self._backend.unclaimed_jobs if len(self._queue) else None
        if unclaimed is None or not (self._accepting and self._loader.has_room and self._may_spend()):
            return None
        first, used = self._records[self._queue.first()], self._slots_used + unclaimed * self._tasks_a_job
        if used < self.slots or self._may_borrow(first, used):
            return first
        nested = self._nested.first_of_waiting()
        return nested if nested is not None and self._may_borrow(nested, used) else None

    def _may_borrow(self, record: TaskRecord, used: int) -> bool:
        return self._nested.may_borrow(record, used, self.slots, lambda: self._backend.bounds_jobs)

    async def _load(self, record: TaskRecord) -> None:
        work: TaskWork | None = None
        try:
            with suppress(ObjectStalled):  # not awaited in a handler: its traceback holds the bytes of what was there
                work = await self._loader.load(record.task, record.shape, patient=record.has_stalled)
                self._learn_function(record, work.function.data)
        except ValueError as error:
            await self._fail_unreadable(record, error)
            return
        if work is None:
            await self._await_objects(record)
            return
        del self._loads[record.task_id]
        work = replace(work, shape=record.shape, company=self._company(), following=len(self._loads))
        self._submit(record, work)

    async def _await_objects(self, record: TaskRecord) -> None:
        """Wait without a slot and without bytes, which would be kept from others by what may never come."""
        record.has_stalled = True
        self._stalled[record.task_id] = self._loads.pop(record.task_id)
        self._enter(record, TaskState.STALLED)
        try:
            await self._loader.await_stalled(record.task)
        except ValueError as error:
            await self._fail_unreadable(record, error)
        else:
            self._queue_again(record)
            self.start_queued()

    async def _fail_unreadable(self, record: TaskRecord, error: ValueError) -> None:
        told = RuntimeError(f"task {record.task_id.hex()}: {quote_foreign(error)}")
        kind = CauseKind.BROKEN_WISH if isinstance(error, BrokenWish) else CauseKind.UNREADABLE
        await self._deliver(record, Outcome.failure(record.task_id, told, FailureCause(kind)))

    def _queue_again(self, record: TaskRecord) -> None:
        self._enter(record, TaskState.QUEUED)
        self._queue.push(record.task_id, self._nested.rank(record))

    def _company(self) -> int:
        """As many as may stand free without harm: 3 % of the slots on average, while others wait for them."""
        waiting = len(self._queue) > 0 and self._accepting
        return self.slots // SLOTS_A_REFILL if waiting else 0

    def _learn_function(self, record: TaskRecord, pickled: bytes | memoryview) -> None:
        """Raises `BrokenWish`."""
        for named in self._functions.learn(record, pickled):
            self._tell(self._events.on_changed, named)
        self._functions.check_wish(record)

    def _submit(self, record: TaskRecord, work: TaskWork) -> None:
        if not self._accepting and not record.is_nested:  # a drain began meanwhile
            self._queue_again(record)
            return
        self._enter(record, TaskState.PAUSED if self._paused else TaskState.COLLECTING)
        self._bound_jobs()
        self._backend.submit(work)

    def _bound_jobs(self) -> None:
        """Parents that wait for nested tasks lend them jobs, too."""
        self._backend.expect(self._max_concurrent_jobs + self.slots_lent, len(self._queue))

    async def _deliver(self, record: TaskRecord, outcome: Outcome) -> None:
        if record.state is not TaskState.DELIVERING:
            self._enter(record, TaskState.DELIVERING)
            self._tell(self._events.on_ended, outcome)
        await self._deliveries.store(record.task, outcome)
        while record.refusal is not None:  # behind the result, which it dropped, the scheduler would wait for another
            refusal, record.refusal = record.refusal, None
            await asyncio.wait([refusal])
        self._enter(record, TaskState.DELIVERED)
        if record.claimed:
            await self._deliveries.announce(record.task_id)
        elif self._is_all_assigned:
            self._deliveries.release((record.task_id,))

    def _on_confirmed(self, task_ids: Sequence[bytes]) -> None:
        for task_id in task_ids:
            self._end(self._records[task_id])

    def _claim(self, record: TaskRecord) -> None:
        record.claimed = True
        if record.state is TaskState.DELIVERED:
            self._deliveries.keep(record.task_id)
            self._steps.start(record, self._deliveries.announce(record.task_id))
        elif record.state is TaskState.ADOPTING:
            submitted = record.placement is not None
            waiting = TaskState.PAUSED if self._paused else TaskState.COLLECTING
            self._enter(record, TaskState.SUBMITTED if submitted else waiting)

    def _withdraw(self, record: TaskRecord, why: str, reason: CancelReason = CancelReason.CLIENT) -> None:
        """Take the task back, decided here and now. `why` empty: the scheduler wants it back before it began."""
        if record.state in UNBEGUN and not self._may_have_job(record.task_id):
            self._drop(record, why)
        else:
            self._queue.discard(record.task_id)
            self._enter(record, TaskState.CANCELLING)
            self._steps.start(record, self._take_back(record, why, reason))

    def _may_have_job(self, task_id: bytes) -> bool:
        """Whether a predecessor's job may have the task, although it waits here."""
        return self._backend.may_have_job(task_id)

    async def _take_back(self, record: TaskRecord, why: str, reason: CancelReason) -> None:
        if await self._ends_job(record, reason):
            self._drop(record, why)

    def _hand_back(self, record: TaskRecord) -> None:
        """To the balancer, which gives it to whoever is idle: a job that may exist would call its function as well."""
        if not self._backend.take_back(record.task_id):
            self._refuse(record)
            return
        record.cancel_requested = True
        self._enter(record, TaskState.CANCELLING)
        self._drop(record, "")

    async def _ends_job(self, record: TaskRecord, reason: CancelReason) -> bool:
        """False: the job can't be ended; the task goes on, and a client that asked for the cancel is told."""
        try:
            await self._backend.cancel(record.task_id, reason)
        except CancelRefused as error:
            logger.error("the cancel of task %s is refused: %s", record.task_id.hex(), error)
            self._enter(record, TaskState.SUBMITTED if record.claimed else TaskState.ADOPTING)
            if record.cancel_requested:
                record.cancel_requested = False
                await self._send_answer(record.task_id, CancelAnswer.FAILED)
            return False
        return True

    def _drop(self, record: TaskRecord, why: str) -> None:
        if why:
            self._tell(self._events.on_withdrawn, record, why)
        was_unclaimed = record.state is TaskState.CANCELLING and not record.cancel_requested
        self._end(record)
        if record.cancel_requested:
            self._answer(record.task_id, CancelAnswer.CANCELED)
        elif was_unclaimed and record.claimed:
            self.on_task(record.task)  # it came back while its job was being ended for want of it

    async def _end_by_operator(self, record: TaskRecord, is_new: bool, why: str) -> None:
        if not is_new and not await self._ends_job(record, CancelReason.OPERATOR):
            return
        if record.cancel_requested:  # by its client, too, who then expects no outcome
            self._drop(record, why)
        else:
            self._tell(self._events.on_withdrawn, record, why)
            outcome = Outcome.failure(record.task_id, RuntimeError(f"task {record.task_id.hex()}: {why}"))
            await self._deliver(record, outcome)

    def _adopt(self, record: TaskRecord) -> bool:
        """Attach the job that runs already, or has, since a predecessor submitted it. False: there is none.

        It counts against the slots, even past them.
        """
        placement = self._backend.adopt(record.task_id, record.task.priority)
        if placement is None:
            return False
        self._queue.discard(record.task_id)
        record.placement = placement
        self._tell(self._events.on_adopted, placement)
        self._enter(record, TaskState.ADOPTING)
        self._enter(record, TaskState.SUBMITTED)
        return True

    def _withdraw_unclaimed(self) -> None:
        unclaimed = [each for each in self._records.values() if each.state is TaskState.ADOPTING]
        if unclaimed:
            logger.warning("terminating %d jobs whose tasks were not claimed again", len(unclaimed))
        for record in unclaimed:
            self._withdraw(record, "it was not claimed again", CancelReason.UNCLAIMED)
        self._steps.spawn(self._backend.abandon_orphans())

    def _refuse(self, record: TaskRecord) -> None:
        record.refusal = self._answer(record.task_id, CancelAnswer.FAILED)

    def _answer(self, task_id: bytes, answer: CancelAnswer) -> asyncio.Task[None]:
        return self._steps.spawn(self._send_answer(task_id, answer))

    async def _send_answer(self, task_id: bytes, answer: CancelAnswer) -> None:
        if self._replies is None:
            return
        try:
            await self._replies.answer_cancel(task_id, answer)
        except LinkDown:
            # the scheduler settles open cancels itself when it learns that this connection ended
            logger.debug("cancel of task %s not answered: the link is down", task_id.hex())

    def _move_all(self, source: TaskState, target: TaskState) -> None:
        for record in self._records.values():
            if record.state is source:
                self._enter(record, target)

    def _enter(self, record: TaskRecord, state: TaskState) -> None:
        held, before, lent = record.holds_slot, record.state, self.slots_lent
        record.move(state)
        self._nested.follow(record, before)
        if self.slots_lent < lent:
            self._bound_jobs()  # what waits for room for its job doesn't ask again
        self._tell(self._events.on_changed, record)
        self._slots_used += record.holds_slot - held
        self._update_idle()
        if state not in (TaskState.LOADING, TaskState.STALLED):
            self._stop_loading(record)
        if held and not record.holds_slot:
            self._loader.release(record.task_id)
            self.start_queued()

    def _stop_loading(self, record: TaskRecord) -> None:
        """What waits for its bytes goes at once: they may never come."""
        load = self._loads.pop(record.task_id, None) or self._stalled.pop(record.task_id, None)
        if load is not None and load is not asyncio.current_task():
            load.cancel()

    def _end(self, record: TaskRecord) -> None:
        self._queue.discard(record.task_id)
        self._records.pop(record.task_id, None)
        self._deliveries.forget_output(record.task_id)
        self._functions.forget(record)
        self._tell(self._events.on_left, record)
        self._enter(record, TaskState.ENDED)

    def _update_idle(self) -> None:
        if self._slots_used or self._deliveries:
            self._idle.clear()
        else:
            self._idle.set()

    def _tell(self, event: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """What breaks in an observer of tasks is for the log: no task fails for it."""
        try:
            event(*args, **kwargs)
        except Exception:
            logger.exception("an observer of tasks broke")

    async def _fail_broken(self, record: TaskRecord, error: Exception) -> None:
        """End the task for its client: the scheduler takes a result only of a task whose cancel was refused."""
        if record.state is TaskState.DELIVERED and record.claimed:
            await self._deliveries.announce(record.task_id)
        if record.state in (TaskState.DELIVERED, TaskState.ENDED):
            return
        if record.cancel_requested:
            record.cancel_requested = False
            await self._send_answer(record.task_id, CancelAnswer.FAILED)
        if record.state is TaskState.CANCELLING:
            self._enter(record, TaskState.SUBMITTED)
        await self._deliver(record, Outcome.broken(record.task_id, error))
