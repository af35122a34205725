"""Model of AWS Batch as the engine meets it: eventually consistent listings, lost hosts, fences and results in S3.

A job's container is modelled by what the runner does: it looks for the fence, from the second attempt on for the
result, calls the function, writes the result and exits.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from container.batch_job_wire.payload_forms import PayloadForm, from_inline, payload_form
from container.batch_job_wire.payload_frames import is_packed, submission_secret, task_ids
from container.batch_job_wire.protocol import (
    SEGMENTS,
    JobParameter,
    bundle_name,
    fence_key,
    job_options,
    mark_key,
    parallel_of,
    payload_key,
    result_key,
    results_prefix,
)
from container.batch_job_wire.result_frames import encode_result
from container.batch_job_wire.result_segments import (
    SEGMENT_RESULTS,
    ResultSegment,
    last_segment,
    parse_segment,
    segment_key,
)
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.backends.batch.submit.request import read_pack
from engine.model import CancelReason
from tests.support.schedules.bucket_model import Bucket, refused
from tests.support.schedules.virtual_loop import EPOCH_S

QUEUE = "queue"
JOB_MIB = 2_048
"""What a job has that asks for nothing."""
WAIT_POLL_S = 0.1
"""How often a function looks whether the task that it waits for has ended."""
SEGMENT_PACE = 5
"""Results of a pack that come less often in a second are not written together."""
LOOK_S = 5.0
"""How often a job that runs several at once looks for the marks of what runs."""
SEGMENT_WAIT_S = 1.0
"""For so long a pack's results wait for those that follow."""
ENDED = ("SUCCEEDED", "FAILED")


@dataclass
class Fate:
    """What becomes of a task's function. `hosts_lost`: attempts of which the host goes in the middle of the call."""

    seconds: float
    hosts_lost: int = 0
    ends: str = "value"
    """`value`, `error` (the function raises), `memory` (killed without a result), `silent` (succeeds without one)."""
    needs_mib: int = 0
    """In a job with less it is killed for its memory, with a result or without."""


@dataclass(eq=False)
class Lane:
    """What runs one entry of a job at a time; of a pack there may be several."""

    child: Child
    entry: int = 0
    """The entry that it is at."""
    timer: asyncio.TimerHandle | None = None
    calls_since: float | None = None


@dataclass(eq=False)
class Child:
    """A single job, or a child of an array. `history` is what was true when; views of it lag."""

    job: Job
    index: int
    attempt: int = 0
    frame: bytes = b""
    lanes: list[Lane] = field(default_factory=list)
    """One, or as many entries as it runs at once."""
    next: int = 0
    """The next entry of a pack that no lane has taken."""
    waiting: list[bytes] = field(default_factory=list)
    """Results of the last entries before it that are not written yet, and will be together."""
    until: int = 0
    """The place in the frame of the first entry that it does not call while results wait."""
    marks: frozenset[bytes] | None = None
    """Tasks with a mark when the entries up to there were announced; None: it looks for that of each entry."""
    written_at: float = 0.0
    seen: frozenset[bytes] = frozenset()
    """Tasks with a result when the attempt began."""
    history: list[tuple[float, str]] = field(default_factory=list)
    reason: str = ""
    exit_code: int | None = None
    container_reason: str = ""
    ended_attempts: list[dict[str, Any]] = field(default_factory=list)
    terminated: str = ""
    is_spoiled: bool = False
    """It ran several tasks at once, as everybody could see, and was ended for a cancel, which spares no mate then."""
    is_starved: bool = False
    """Its function was killed for its memory: it calls nothing more."""
    timer: asyncio.TimerHandle | None = None

    @property
    def entry(self) -> int:
        """The entry that it is at, of those that run one after the other."""
        return self.lanes[0].entry if self.lanes else 0

    @property
    def calling(self) -> list[Lane]:
        """The lanes whose functions run."""
        return [lane for lane in self.lanes if lane.calls_since is not None]

    @property
    def state(self) -> str:
        return self.history[-1][1]

    def state_at(self, moment: float) -> str:
        return next((state for at, state in reversed(self.history) if at <= moment), "SUBMITTED")


@dataclass(eq=False)
class Job:
    """What one SubmitJob made."""

    job_id: str
    request: dict[str, Any]
    created: float
    listed_from: float
    children: list[Child] = field(default_factory=list)

    @property
    def is_array(self) -> bool:
        return "arrayProperties" in self.request

    def state_at(self, moment: float) -> str:
        states = [child.state_at(moment) for child in self.children]
        if not self.is_array:
            return states[0]
        if all(state in ENDED for state in states):
            return "FAILED" if "FAILED" in states else "SUCCEEDED"
        return "PENDING"


class Batch:
    """AWS Batch with one queue. `fates` says by task id what becomes of its function; `calls` counts them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rng: random.Random,
        bucket: Bucket,
        fates: dict[bytes, Fate],
        tell: Callable[[str], None],
        lag_s: float,
    ) -> None:
        self._loop = loop
        self._rng = rng
        self._bucket = bucket
        self._fates = fates
        self._tell = tell
        self._lag_s = lag_s
        self.entry_s = 0.2
        """What an entry of a pack costs beside its function, at the most."""
        self.wait_s = 0.0
        """For so long every job is RUNNABLE: there is no capacity."""
        self.jobs: dict[str, Job] = {}
        self.calls: Counter[bytes] = Counter()
        self.hosts_lost: Counter[bytes] = Counter()
        self.interrupted: Counter[bytes] = Counter()
        """How often a task's function was running when its job was terminated, or ended for its mark."""
        self.mates_lost: Counter[bytes] = Counter()
        """How often a task's host was lost in its call, for the fate of another that its job ran at once."""
        self.starved: Counter[bytes] = Counter()
        self.on_call: Callable[[bytes], None] = lambda task_id: None
        """Told of each call of a function, with the id of its task."""
        self.is_waiting: Callable[[bytes], bool] = lambda task_id: False
        """Tells whether the function of this task waits for a task of its own."""
        self.list_open: Callable[[], set[bytes]] = set
        """Gives the tasks that have not ended for their client."""
        self.unwritten: Counter[bytes] = Counter()
        """How often a task's result was not written yet when its host was lost: then it is called again."""
        self.doubtful: set[bytes] = set()
        """Tasks that a job may have called, as far as it had announced, when it was killed as a whole."""
        self.most_living = 0
        """The most jobs that were to call a function at once, children of arrays counted singly.

        Less those that tasks which wait for tasks of their own lend them.
        """

    # ---- the API

    def submit_job(self, **request: Any) -> dict[str, Any]:
        now = self._loop.time()
        job_id = f"job-{len(self.jobs) + 1:04d}-{self._rng.getrandbits(32):08x}"
        job = self.jobs[job_id] = Job(job_id, request, now, now + self._rng.uniform(0, self._lag_s))
        size = request.get("arrayProperties", {}).get("size", 1)
        for index in range(size):
            child = Child(job, index, history=[(now, "SUBMITTED")])
            job.children.append(child)
            self._later(child, self._rng.uniform(0.02, 1.0), self._make_runnable)
        self.most_living = max(self.most_living, self._count_living())
        self._tell(f"batch takes {job_id} of {size}")
        return {"jobId": job_id, "jobArn": job_id, "jobName": request["jobName"]}

    def terminate_job(self, *, jobId: str, reason: str) -> dict[str, Any]:
        parent, _, index = jobId.partition(":")
        if parent not in self.jobs:
            raise refused("TerminateJob", "ClientException", 400)
        job = self.jobs[parent]
        for child in [job.children[int(index)]] if index else list(job.children):
            if child.state not in ENDED and not child.terminated:
                child.terminated = reason
                runs_for_long = child.state_at(self._loop.time() - self._lag_s - 1.0) == "RUNNING"
                child.is_spoiled = reason == CancelReason.CLIENT and len(child.lanes) > 1 and runs_for_long
                self._tell(f"batch terminates {jobId}")
                self._later(child, self._rng.uniform(0.05, 3.0), lambda one: self._end(one, None, ""))
        return {}

    def terminate_jobs(self, *, jobs: list[str], reason: str) -> dict[str, Any]:
        for job_id in jobs:
            if job_id.partition(":")[0] in self.jobs:
                self.terminate_job(jobId=job_id, reason=reason)
        return {"successful": jobs, "errors": []}

    def describe_jobs(self, *, jobs: list[str]) -> dict[str, Any]:
        lag = self._rng.uniform(0, min(self._lag_s, 1.0))
        found = []
        for job_id in jobs:
            parent, _, index = job_id.partition(":")
            job = self.jobs.get(parent)
            if job is not None and self._loop.time() - lag >= job.created:
                found.append(self._document(job, job.children[int(index)] if index else None, lag))
        return {"jobs": found}

    def list_jobs(self, **query: Any) -> dict[str, Any]:
        if "arrayJobId" in query:
            return {"jobSummaryList": list(self._list_children(query["arrayJobId"], query["jobStatus"]))}
        moment = self._loop.time()
        found = [job for job in self.jobs.values() if job.listed_from <= moment]
        for one in query.get("filters", ()):
            found = [job for job in found if _matches(job, one["name"], one["values"][0])]
        if "jobStatus" in query:
            found = [job for job in found if job.state_at(moment) == query["jobStatus"]]
        return {"jobSummaryList": [self._document(job, None, 0.0) for job in reversed(found)]}

    def _list_children(self, job_id: str, status: str) -> Iterator[dict[str, Any]]:
        lag = self._rng.uniform(0, self._lag_s)
        job = self.jobs[job_id]
        for child in job.children:
            if child.state_at(self._loop.time() - lag) == status:
                yield self._document(job, child, lag)

    def _document(self, job: Job, child: Child | None, lag: float) -> dict[str, Any]:
        moment = self._loop.time() - lag
        only = child or (None if job.is_array else job.children[0])
        document: dict[str, Any] = {
            "jobId": job.job_id if child is None or not job.is_array else f"{job.job_id}:{child.index}",
            "jobName": job.request["jobName"],
            "jobQueue": QUEUE,
            "status": only.state_at(moment) if only is not None else job.state_at(moment),
            "createdAt": int((EPOCH_S + job.created) * 1000),
            "parameters": job.request["parameters"],
            "container": {"resourceRequirements": _requirements(job)},
            "retryStrategy": {"attempts": 3},
        }
        if job.is_array:
            array: dict[str, Any] = {"size": len(job.children)}
            if child is not None:
                array["index"] = child.index
            else:
                array["statusSummary"] = dict(Counter(each.state_at(moment) for each in job.children))
            document["arrayProperties"] = array
        if only is not None and only.ended_attempts:
            document["attempts"] = list(only.ended_attempts)
        if only is not None and document["status"] in ENDED:
            document["statusReason"] = only.reason
            if only.exit_code is not None:
                document["container"]["exitCode"] = only.exit_code
            if only.container_reason:
                document["container"]["reason"] = only.container_reason
        return document

    # ---- what becomes of a child

    def is_calling(self, task_id: bytes) -> bool:
        """Whether the function of the task runs now."""
        living = (one for one in self._children() if one.state not in ENDED and not one.is_starved)
        return any(self._task_of(lane) == task_id for one in living for lane in one.calling)

    def _children(self) -> Iterator[Child]:
        for job in self.jobs.values():
            yield from job.children

    def _count_living(self) -> int:
        """A waiting task lends a slot while its job lives, and while it is sent again."""
        living = list(filter(self._is_living, self._children()))
        held = {task_id for child in living for task_id in self._tasks_of(child, self._frame_of(child) or b"")}
        return len(living) - sum(map(self.is_waiting, held | self.list_open()))

    def _is_living(self, child: Child) -> bool:
        """It calls a function, or will: not so behind a fence, with a result, or once it was told to end."""
        if child.state in ENDED or child.terminated or child.is_starved:
            return False
        store, submission = self._place(child)
        keys = self._bucket.objects
        frame = self._frame_of(child)
        if frame is None or self._key(store, fence_key(submission)) in keys:
            return False
        tasks = self._tasks_of(child, frame)
        done = self._with_result(child, frame) | set(tasks[child.entry - len(child.waiting) : child.entry])
        return any(
            task_id not in done and self._key(store, mark_key(submission, task_id)) not in keys for task_id in tasks
        )

    def _is_at_work(self, lane: Lane) -> bool:
        """It has an entry, which it calls or is about to."""
        return lane.entry < len(self._tasks_of(lane.child, lane.child.frame))

    def _waits(self, lane: Lane) -> bool:
        return lane.calls_since is not None and self.is_waiting(self._task_of(lane))

    def _task_of(self, lane: Lane) -> bytes:
        return self._tasks_of(lane.child, lane.child.frame)[lane.entry]

    def _with_result(self, child: Child, frame: bytes) -> frozenset[bytes]:
        """The tasks of which results lie in S3, by themselves or in a segment."""
        store, submission = self._place(child)
        keys, ids = self._bucket.objects, task_ids(frame)
        singles = (one for one in ids if self._key(store, result_key(submission, one)) in keys)
        if self._pack(child) == 1:
            return frozenset(singles)
        prefix = self._key(store, results_prefix(submission))
        segments = (parse_segment(key.removeprefix(prefix)) for key in keys if key.startswith(prefix))
        together = (ids[one.first : one.end] for one in segments if one is not None)
        return frozenset((*singles, *(task_id for part in together for task_id in part)))

    def _later(self, child: Child, delay: float, step: Callable[[Child], None]) -> None:
        self._stop(child)
        child.timer = self._loop.call_later(delay, step, child)

    def _stop(self, child: Child) -> None:
        """Nothing comes any more of what it was about to do."""
        for timer in (child.timer, *(lane.timer for lane in child.lanes)):
            if timer is not None:
                timer.cancel()

    def _soon(self, lane: Lane, delay: float, step: Callable[[Lane], None]) -> None:
        if lane.timer is not None:
            lane.timer.cancel()
        lane.timer = self._loop.call_later(delay, step, lane)

    def _enter(self, child: Child, state: str) -> None:
        child.history.append((self._loop.time(), state))

    def _make_runnable(self, child: Child) -> None:
        self._enter(child, "RUNNABLE")
        self._later(child, self.wait_s + self._rng.uniform(0.02, 2.0), self._start)

    def _start(self, child: Child) -> None:
        child.attempt += 1
        self._enter(child, "STARTING")
        self._later(child, self._rng.uniform(0.02, 0.5), self._run)

    def _run(self, child: Child) -> None:
        self._enter(child, "RUNNING")
        store, submission = self._place(child)
        if self._key(store, fence_key(submission)) in self._bucket.objects:
            self._later(child, 0.05, lambda one: self._end(one, 0, ""))
            return
        frame = self._frame_of(child)
        if frame is None:
            self._later(child, 0.05, lambda one: self._end(one, 76, ""))
            return
        child.frame, child.waiting, child.until, child.marks = frame, [], 0, None
        child.written_at = self._loop.time()
        child.seen = self._with_result(child, frame) if child.attempt > 1 else frozenset()
        self._take_back(child)
        count = min(self._parallel(child), len(self._tasks_of(child, frame)))
        child.lanes = [Lane(child, entry) for entry in range(count)]
        child.next = count
        for lane in child.lanes:
            self._run_entry(lane)

    def _run_entry(self, lane: Lane) -> None:
        """Of a pack the entries follow each other; the job of a single task has one."""
        child = lane.child
        tasks = self._tasks_of(child, child.frame)
        if lane.entry >= len(tasks):
            if all(one.entry >= len(tasks) for one in child.lanes):
                self._write_segment(child, 0)
                self._later(child, self._rng.uniform(0.02, 1.0), lambda one: self._end(one, 0, ""))
            return
        task_id = tasks[lane.entry]
        if task_id in child.seen:
            self._write_segment(child, 1)
            self._next_entry(lane)
            return
        if self._pack(child) > 1 and self._is_marked(child, task_id):
            self._write(child, task_id, ResultStatus.SKIPPED)
            self._next_entry(lane)
            return
        self._soon(lane, self._rng.uniform(0.0, self.entry_s / 2), self._call)

    def _is_marked(self, child: Child, task_id: bytes) -> bool:
        if child.marks is not None and self._first_place(child) + child.entry < child.until:
            return task_id in child.marks
        return task_id in self._marks(child, [task_id])

    def _marks(self, child: Child, ids: Iterable[bytes]) -> frozenset[bytes]:
        (store, submission), there = self._place(child), self._bucket.objects
        return frozenset(one for one in ids if self._key(store, mark_key(submission, one)) in there)

    def _next_entry(self, lane: Lane) -> None:
        """A lane takes the lowest entry that none took, now that its last one has a result."""
        lane.entry = lane.child.next
        lane.child.next += 1
        self._soon(lane, self._rng.uniform(self.entry_s / 40, self.entry_s / 2), self._run_entry)

    def _call(self, lane: Lane) -> None:
        child, task_id = lane.child, self._task_of(lane)
        lane.calls_since = self._loop.time()
        self.calls[task_id] += 1
        self._tell(f"function of {task_id.hex()[-4:]} is called in {child.job.job_id}:{child.index}")
        self.on_call(task_id)
        fate = self._fates[task_id]
        if child.waiting and fate.seconds > 0.5:
            self._loop.call_later(1.25, self._beat, child, child.attempt, child.entry)
        if self.hosts_lost[task_id] < fate.hosts_lost:
            self.hosts_lost[task_id] += 1
            self._soon(lane, fate.seconds / 2, self._lose_host)
        else:
            self._soon(lane, fate.seconds, self._return)
        if len(child.lanes) > 1:
            self._loop.call_later(LOOK_S, self._look_for_mark, lane, child.attempt, lane.entry)

    def _look_for_mark(self, lane: Lane, attempt: int, entry: int) -> None:
        """A job with several lanes ends a task whose mark comes while it runs, and goes on."""
        child = lane.child
        is_present = (child.attempt, lane.entry) == (attempt, entry) and child.state not in ENDED
        if not is_present or lane.calls_since is None or child.terminated or child.is_starved:
            return
        task_id = self._task_of(lane)
        if not self._marks(child, [task_id]):
            self._loop.call_later(LOOK_S, self._look_for_mark, lane, attempt, entry)
            return
        self._soon(lane, self._rng.uniform(0.05, 3.0), self._end_marked)

    def _end_marked(self, lane: Lane) -> None:
        task_id = self._task_of(lane)
        self._tell(f"function of {task_id.hex()[-4:]} is ended for its mark")
        self.interrupted[task_id] += 1
        lane.calls_since = None
        self._write(lane.child, task_id, ResultStatus.SKIPPED)
        self._next_entry(lane)

    def _lose_host(self, loser: Lane) -> None:
        child = loser.child
        for lane in child.calling:
            lane.calls_since = None
            self.mates_lost[self._task_of(lane)] += lane is not loser
        self.unwritten.update(self._waiting_tasks(child))
        child.ended_attempts.append({"statusReason": "Host EC2 (instance i-1) terminated.", "container": {}})
        if child.attempt >= 3:
            self._end(child, None, "", "Host EC2 (instance i-1) terminated.")
        else:
            self._tell(f"{child.job.job_id}:{child.index} loses its host")
            self._make_runnable(child)

    def _write(self, child: Child, task_id: bytes, status: ResultStatus, *, is_out_of_memory: bool = False) -> None:
        """At once, or with those that follow soon, if its submission may have them together."""
        body = _result(child.frame, task_id, status, child.attempt, is_out_of_memory=is_out_of_memory)
        store, submission = self._place(child)
        if not self._has_segments(child):
            self._bucket.put_object(Bucket="", Key=self._key(store, result_key(submission, task_id)), Body=body)
            return
        child.waiting.append(body)
        place = self._first_place(child) + child.entry
        if place + 1 >= child.until or self._loop.time() - child.written_at >= SEGMENT_WAIT_S:
            since = max(0.001, self._loop.time() - child.written_at)
            pace = int(len(child.waiting) / since)
            self._write_segment(child, min(pace, SEGMENT_RESULTS) if pace >= SEGMENT_PACE else 1, behind=1)

    def _write_segment(self, child: Child, ahead: int, behind: int = 0) -> None:
        """Write what waits up to the present entry, or `behind` it, and announce so many more."""
        end = self._first_place(child) + child.entry + behind
        if not child.waiting and child.until <= end + 1:
            return
        until = max(end, min(end + ahead, self._first_place(child) + len(self._tasks_of(child, child.frame))))
        store, submission = self._place(child)
        segment = ResultSegment(end - len(child.waiting), len(child.waiting), until)
        segment = segment.sealed(submission, submission_secret(child.frame))
        key = self._key(store, segment_key(submission, segment))
        self._bucket.put_object(Bucket="", Key=key, Body=b"".join(child.waiting))
        child.waiting, child.until, child.written_at = [], until, self._loop.time()
        child.marks = self._marks(child, task_ids(child.frame)) if until > end + 1 else None

    def _take_back(self, child: Child) -> None:
        """What an earlier attempt announced."""
        (store, submission), places = (
            self._place(child),
            range(self._first_place(child), self._first_place(child) + self._pack(child)),
        )
        prefix = self._key(store, results_prefix(submission))
        found = [parse_segment(key.removeprefix(prefix)) for key in self._bucket.objects if key.startswith(prefix)]
        last = last_segment(one for one in found if one is not None and one.first in places)
        if child.attempt > 1 and last is not None and last.until > last.end + 1:
            nothing = ResultSegment(last.end, 0, last.end).sealed(submission, submission_secret(child.frame))
            key = self._key(store, segment_key(submission, nothing))
            self._bucket.put_object(Bucket="", Key=key, Body=b"")

    def _beat(self, child: Child, attempt: int, entry: int) -> None:
        """A while after its start the entry still runs."""
        is_running = bool(child.calling) and child.state not in ENDED
        if (child.attempt, child.entry) == (attempt, entry) and is_running and child.waiting:
            self._write_segment(child, 1)

    def _waiting_tasks(self, child: Child) -> tuple[bytes, ...]:
        return self._tasks_of(child, child.frame)[child.entry - len(child.waiting) : child.entry]

    def _first_place(self, child: Child) -> int:
        return child.index * self._pack(child)

    def _has_segments(self, child: Child) -> bool:
        options = job_options(child.job.request["parameters"][JobParameter.OPTIONS.value])
        return options.get(SEGMENTS) == "1"

    def _return(self, lane: Lane) -> None:
        if self._waits(lane):
            self._soon(lane, WAIT_POLL_S, self._return)
            return
        child, task_id = lane.child, self._task_of(lane)
        ends = self._fates[task_id].ends
        if _memory_mib(child.job) < self._fates[task_id].needs_mib:
            self._starve(lane, task_id)
            return
        if ends in ("value", "error"):
            lane.calls_since = None
            self._write(child, task_id, ResultStatus.SUCCESS if ends == "value" else ResultStatus.EXCEPTION)
            if self._pack(child) > 1:
                self._next_entry(lane)
                return
        codes = {"value": 0, "error": 1, "memory": 137, "silent": 0}
        why = "OutOfMemoryError: Container killed due to memory usage" if ends == "memory" else ""
        self._later(child, self._rng.uniform(0.02, 1.0), lambda one: self._end(one, codes[ends], why))

    def _starve(self, lane: Lane, task_id: bytes) -> None:
        """Every second time the runner survives, and writes how it was."""
        child = lane.child
        self.starved[task_id] += 1
        child.is_starved = True
        self._tell(f"function of {task_id.hex()[-4:]} is killed with {_memory_mib(child.job)} MiB")
        if self.starved[task_id] % 2:
            self._write(child, task_id, ResultStatus.DIED, is_out_of_memory=True)
            if self._pack(child) > 1:
                lane.calls_since, child.is_starved = None, False
                self._next_entry(lane)
                return
            self._later(child, self._rng.uniform(0.02, 1.0), lambda one: self._end(one, 1, ""))
        else:
            why = "OutOfMemoryError: Container killed due to memory usage"
            self._later(child, 0.05, lambda one: self._end(one, 137, why))

    def _end(self, child: Child, code: int | None, container: str, reason: str = "Essential container exited") -> None:
        if child.state in ENDED:
            return
        self._stop(child)
        if child.terminated and not child.is_spoiled:
            self.interrupted.update(map(self._task_of, child.calling))
        elif code == 137 and len(child.lanes) > 1:
            self.doubtful.update(map(self._task_of, filter(self._is_at_work, child.lanes)))
        if child.terminated and child.waiting:
            self._write_segment(child, 1)  # at SIGTERM
        elif code == 137 and self._pack(child) > 1:
            place = self._first_place(child)
            announced = self._tasks_of(child, child.frame)[: max(0, child.until - place)]
            self.doubtful.update(set(announced) - self._with_result(child, child.frame))
        child.exit_code, child.container_reason = code, container
        child.reason = child.terminated or reason
        self._enter(child, "SUCCEEDED" if code == 0 and not child.terminated else "FAILED")

    def _pack(self, child: Child) -> int:
        return read_pack(child.job.request["parameters"][JobParameter.OPTIONS.value])[0]

    def _parallel(self, child: Child) -> int:
        return parallel_of(child.job.request["parameters"][JobParameter.OPTIONS.value])

    def _tasks_of(self, child: Child, frame: bytes) -> tuple[bytes, ...]:
        pack = self._pack(child)
        assert is_packed(frame) == (pack > 1), "frame and options don't agree"
        return task_ids(frame)[child.index * pack : (child.index + 1) * pack]

    def _place(self, child: Child) -> tuple[str, str]:
        parameters = child.job.request["parameters"]
        return parameters[JobParameter.STORE.value], parameters[JobParameter.SUBMISSION.value]

    def _frame_of(self, child: Child) -> bytes | None:
        text = child.job.request["parameters"][JobParameter.PAYLOAD.value]
        store, submission = self._place(child)
        if payload_form(text) is not PayloadForm.BUNDLE:
            return from_inline(text)
        found = self._bucket.objects.get(self._key(store, payload_key(bundle_name(submission, text))))
        return None if found is None else found[0]

    def _key(self, store: str, key: str) -> str:
        return f"{store.removeprefix('s3://').partition('/')[2]}/{key}"


def _matches(job: Job, name: str, value: str) -> bool:
    if name == "JOB_NAME":
        mine, wanted = job.request["jobName"].lower(), value.lower()
        return bool(mine.startswith(wanted[:-1])) if wanted.endswith("*") else bool(mine == wanted)
    if name == "AFTER_CREATED_AT":
        return (EPOCH_S + job.created) * 1000 >= float(value)
    raise AssertionError(f"a filter that the model doesn't know: {name}")


def _requirements(job: Job) -> list[dict[str, str]]:
    asked = job.request.get("containerOverrides", {}).get("resourceRequirements", [])
    memory = [one for one in asked if one["type"] == "MEMORY"]
    return [{"type": "VCPU", "value": "1"}, *memory]


def _memory_mib(job: Job) -> int:
    return next((int(one["value"]) for one in _requirements(job) if one["type"] == "MEMORY"), JOB_MIB)


def _result(
    frame: bytes, task_id: bytes, status: ResultStatus, attempt: int, *, is_out_of_memory: bool = False
) -> bytes:
    meta = ResultMeta(task_id.hex(), status, "call", attempt, 0.0, 1.0, 1.0, 1, "3.11", None, None, "model")
    meta = meta._replace(is_out_of_memory=is_out_of_memory)
    return bytes(encode_result(meta, b"result of " + task_id.hex().encode(), submission_secret(frame)))
