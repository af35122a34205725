"""AWS Batch as a test wants it at each poll: parents' documents and children's listings, wherever they lag behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.aws.batch_jobs import JobsClient
from engine.aws.batch_states import BatchState
from engine.backends.batch.ledger import BatchStage, BatchTask, Ledger, Submission
from engine.backends.batch.track.failures.failure import JobEnd
from engine.backends.batch.track.job_poller import JobPoller
from engine.backends.batch.track.state_reporter import StateReporter
from engine.backends.batch.track.waiting_log import WaitingLog
from engine.causes import FailureCause
from engine.model import ResourceShape
from tests.support.engine.batch_harness import Recorder
from tests.support.engine.fake_clock import FakeClock


@dataclass
class ScriptedBatch:
    """Stands in for `AwsClient`: answers DescribeJobs from `jobs`, ListJobs of children from `children`."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    children: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By state; each an entry of jobSummaryList."""
    listings: list[str] = field(default_factory=list)
    """States in which children were asked for."""

    async def call(self, operation: Any, *, tries: int | None = None, **arguments: Any) -> dict[str, Any]:
        if operation.name == "DescribeJobs":
            return {"jobs": [self.jobs[one] for one in arguments["jobs"] if one in self.jobs]}
        self.listings.append(arguments["jobStatus"])
        return {"jobSummaryList": self.children.get(arguments["jobStatus"], [])}

    def end_parent(self, status: str, reason: str = "", **summary: int) -> None:
        self.jobs["P"] = {
            "jobId": "P",
            "status": status,
            "statusReason": reason,
            "arrayProperties": {"statusSummary": summary},
        }

    def list_child(self, state: str, index: Any, exit_code: int | None) -> None:
        child = {"jobId": f"P:{index}", "arrayProperties": {"index": index}, "container": {"exitCode": exit_code}}
        self.children.setdefault(state, []).append(child)


@dataclass
class NotedFailures:
    """Stands in for `FailureHandler`: notes the ends it is told and takes the tasks that did not promise a result."""

    ends: dict[int, JobEnd] = field(default_factory=dict)
    broken: set[int] = field(default_factory=set)
    """Indexes of tasks whose handling raises."""
    vanished: list[Submission] = field(default_factory=list)

    async def handle_ends(self, submission: Submission, ends: Sequence[tuple[BatchTask, JobEnd]]) -> None:
        for task, end in ends:
            if not task.is_open:
                continue
            if task.index in self.broken:
                raise RuntimeError(f"task {task.index} can't be judged")
            self.ends[task.index] = end
            if not end.promises_result:
                task.move(BatchStage.FETCHING)

    async def handle_vanished(self, submission: Submission) -> None:
        self.vanished.append(submission)


@dataclass
class PolledArray:
    """An accepted array job `P` of `size` tasks, and the poller that follows it."""

    size: int
    batch: ScriptedBatch = field(default_factory=ScriptedBatch)
    failures: NotedFailures = field(default_factory=NotedFailures)
    told: Recorder = field(default_factory=Recorder)
    clock: FakeClock = field(default_factory=FakeClock)
    ledger: Ledger = field(default_factory=Ledger)
    failed: dict[int, str] = field(default_factory=dict)
    """Tasks that nothing could be learned of, with what their client is told."""

    def __post_init__(self) -> None:
        tasks = tuple(BatchTask(bytes([number]) * 16, ResourceShape(), None) for number in range(self.size))
        self.submission = Submission("0" * 32, "wm_a" + "0" * 32, tasks, ResourceShape())
        self.ledger.tasks = {task.task_id: task for task in tasks}
        self.ledger.add_submission(self.submission)
        self.submission.job_id = "P"
        self.submission.settled.set()
        for task in tasks:
            task.move(BatchStage.IN_BATCH)
        self.reporter = StateReporter(observer=self.told)
        self.poller = JobPoller(
            jobs=JobsClient(self.batch),  # type: ignore[arg-type]
            ledger=self.ledger,
            failures=self.failures,  # type: ignore[arg-type]
            give_up=self._give_up,
            reporter=self.reporter,
            waiting=WaitingLog(clock=self.clock),
            clock=self.clock,
        )

    async def poll(self, times: int = 1, every_s: float = 5.0) -> None:
        for _ in range(times):
            for poll in await self.poller.poll():
                await self.poller.judge(poll)
            self.clock.now += every_s

    def find_result(self, index: int) -> None:
        """As the tracker does when a listing shows it."""
        task = self.submission.tasks[index]
        self.submission.found.add(task.task_id)
        task.move(BatchStage.FETCHING)

    @property
    def open_indexes(self) -> list[int]:
        return [task.index for task in self.submission.open_tasks()]

    def _give_up(self, tasks: Sequence[BatchTask], text: str, cause: FailureCause) -> None:
        for task in tasks:
            task.move(BatchStage.FETCHING)
            self.failed[task.index] = text


FAILED, SUCCEEDED = BatchState.FAILED.value, BatchState.SUCCEEDED.value
