"""The seam between the task manager and whatever runs the tasks elsewhere.

`AWSHPCTaskManager` decides which task may go (priority, slots, bytes) and hands its *raw* bytes to an
`HPCBackend`; the backend runs it and reports through a `BackendObserver`. Nothing on either side unpickles.
`engine.backends.registry` holds the backends that `--backend` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.aws.batch_states import BatchState
from engine.code.archive import CodeArchive
from engine.diagnosis.model import Diagnosed
from engine.model import (
    CallStats,
    CancelReason,
    Demand,
    Description,
    IdleHosts,
    JobObservation,
    Link,
    LogChunk,
    Outcome,
    Placement,
    Price,
    PrintedPart,
    Quota,
    TaskWork,
)


class BackendObserver(Protocol):
    """Listener of a backend; called on the event loop, never from another thread."""

    def on_submitted(self, placement: Placement) -> None:
        """These tasks have a job now."""

    def on_state(self, task_id: bytes, state: BatchState) -> None:
        """The task's job is in another state. An end is not reported so: the outcome does that."""

    def on_observation(self, task_id: bytes, observation: JobObservation) -> None:
        """Something else about the task's job changed; for people to read."""

    async def on_printed(self, part: PrintedPart) -> bool:
        """A task that runs has printed this. False: it is not taken now; told again from the beginning it may be."""

    async def on_outcome(self, outcome: Outcome) -> None:
        """Exactly once a task. Returns when the outcome is in Scaler's hands, which bounds the bytes in memory."""

    def on_orphans_found(self) -> None:
        """More tasks may be adopted than before, those that wait for a slot among them."""

    def on_slots_freed(self) -> None:
        """`HPCBackend.unclaimed_jobs` is less than it was."""

    def on_paused(self, reason: str) -> None:
        """AWS refuses our credentials, what it allowed before, or jobs for this queue: nothing fails, work waits."""

    def on_resumed(self) -> None:
        """What was waited for is there again."""

    def on_lost_ownership(self, reason: str) -> None:
        """Another manager holds the lease or we can't renew it: stop at once, leave the jobs alone."""


class Introspection(Protocol):
    """Answers for viewers. Never on a task's way: whatever fails here is said in words, not raised."""

    @property
    def dedup_saved_bytes(self) -> int:
        """Bytes that were not uploaded because an equal blob lay in S3 already."""

    @property
    def inline_limit(self) -> int:
        """Characters that a payload may take inside SubmitJob at present."""

    def calls(self) -> tuple[CallStats, ...]:
        """Statistics of each AWS API that was called."""

    def quotas(self) -> tuple[Quota, ...]:
        """The limits as far as they are known; what is read from AWS is only read while there are viewers."""

    @property
    def idle_vcpus(self) -> float | None:
        """vCPUs of hosts that none of our jobs has, read while there are viewers; None: unknown, or there are none."""

    def idle_hosts(self, price: Price) -> IdleHosts | None:
        """What hosts cost while none of our jobs had them, by this price from now on; None: there are no hosts."""

    def links(self) -> tuple[Link, ...]:
        """The links to what runs the tasks: what work that waits would wait for."""

    @property
    def states_at(self) -> float | None:
        """When jobs' states were last heard, seconds since the epoch; None: never yet."""

    @property
    def states_stale(self) -> bool:
        """Jobs' states can't be read at present."""

    @property
    def price(self) -> Price:
        """Price of what the jobs run on, as it is known now; asking makes it be read."""

    def note_viewer(self) -> None:
        """There is a viewer: for the next ten seconds reads that serve viewers only may be made."""

    async def describe(self, task_id: bytes, job_id: str) -> Description:
        """Describe the task's job; read at most every two seconds a job."""

    def diagnose(self, job_id: str) -> Diagnosed:
        """Say why the job waits, or with an empty id whatever waits in the queue: what is known at this moment.

        Never waits: while AWS is asked the answer says so, and a viewer asks again.
        """

    async def log_streams(self, job_ids: Sequence[str]) -> dict[str, str]:
        """Give the log streams of these jobs (a hundred at most); a job without one is left out."""

    async def read_log(self, stream: str, token: str | None) -> LogChunk:
        """Read events behind `token`; None: the newest part of the stream."""

    async def read_older_log(self, stream: str, before: float, token: str | None, limit: int) -> LogChunk:
        """Read the newest events before a time (epoch), about `limit`; then, with a chunk's `older`, those before."""


class CancelRefused(Exception):
    """A task's job can't be ended: it goes on, and its outcome will come. The text says why."""


class HPCBackend(Protocol):
    """Runs tasks somewhere else, from its opening by the registry until `stop`. One instance a worker manager."""

    @property
    def introspection(self) -> Introspection:
        """For viewers."""

    @property
    def capabilities(self) -> Mapping[str, int]:
        """Capabilities of the queue besides `vcpus` and `memory`, by name (`gpu`)."""

    @property
    def default_demand(self) -> Demand | None:
        """What a job gets that asks for nothing else; None: unknown."""

    @property
    def orphans(self) -> int:
        """Tasks with a job of a dead predecessor that nobody has claimed yet.

        More than 0, too, for the few seconds in which such jobs may yet come to light.
        """

    @property
    def unclaimed_jobs(self) -> int | None:
        """Living jobs of a dead predecessor whose tasks nobody has claimed: each takes a slot.

        None for the few seconds in which it isn't known how many there are: nothing can be submitted meanwhile.
        """

    @property
    def tasks_a_job(self) -> int:
        """How many tasks one job runs at present, at the most; 1: each has a job of its own."""

    @property
    def bounds_jobs(self) -> bool:
        """Whether it holds back what has no room for its job: then more tasks than jobs may be handed to it."""

    @property
    def jobs_under_way(self) -> int:
        """Jobs of its tasks, those that are being submitted among them, and a predecessor's unclaimed ones."""

    def expect(self, jobs: int, queued: int) -> None:
        """Say that `jobs` may be under way, and that `queued` tasks wait for a slot."""

    def may_have_job(self, task_id: bytes) -> bool:
        """A predecessor's job that is not known yet may have this task, or one of it is being ended: `cancel` waits."""

    def has_orphan(self, task_id: bytes) -> bool:
        """A job of a dead predecessor is known to have this task, and nobody has claimed it yet."""

    def adopt(self, task_id: bytes, priority: int = 0) -> Placement | None:
        """Claim an orphan: its outcome comes through the observer. None: no job of ours is known to have this task.

        `priority` is the task's in Scaler, for a job that must be sent again.

        Given to `submit` it is still attached, not run, when its job comes to light then.
        """

    async def abandon_orphans(self) -> None:
        """End the jobs of the orphans that nobody claimed and delete what is left of them. Only ever our own."""

    def use_code(self, archive: CodeArchive) -> None:
        """Put this on the path of what is submitted from now on; what was submitted keeps what it has."""

    def submit(self, work: TaskWork) -> None:
        """Take a task over. Never blocks; its outcome comes through the observer."""

    def take_back(self, task_id: bytes) -> bool:
        """Forget a task whose job was not asked for yet. False: AWS Batch has its job, or may have; nothing changed."""

    async def cancel(self, task_id: bytes, reason: CancelReason = CancelReason.CLIENT) -> None:
        """Forget the task or terminate its job; when it returns no outcome will come and its objects are gone.

        `reason` is what the backend's service keeps. Raises `CancelRefused`.
        """

    async def forget(self, task_ids: Sequence[bytes]) -> None:
        """These outcomes are delivered for good (behind the barrier): delete what S3 holds of them."""

    async def stop(self, *, terminate: bool) -> None:
        """Stop working. `terminate` ends the jobs; otherwise they are left for adoption. Releases the lease."""
