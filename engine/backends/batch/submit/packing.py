"""Packing: how many tasks one job runs, a process for each, and how many at once; and what jobs there is room for.

A fresh job costs a container's start and half a second of CPU, a task in a running one a fork. So many short tasks
share a job. What ends such a job costs its later tasks one more submission and never an error: they were not called.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.backends.batch.ledger import UNDER_WAY, BatchStage, BatchTask, Ledger, Submission
from engine.config.settings import PACK_MAX, PARALLEL_MAX, Pack, PackParallel
from engine.model import ResourceShape

logger = logging.getLogger(__name__)

WAVES: Final = 4
"""Jobs that each slot runs one after the other, at least, so that the tail grows by a quarter at most."""
TARGET_S: Final = 60.0
"""How long a job should run."""
START_S: Final = 2.0
"""What a job costs before its first task: tasks that together take no longer are not spread over several waves."""
SHORTEST_S: Final = 1.0
"""What tasks of a crowd are not spread thinner for: a job costs more than its tasks then."""
UNMEASURED: Final = 8
"""Tasks of a function of which no duration is known yet."""
PROCESS_S: Final = 0.01
"""What a task costs in a running job beside its function."""
DURATION_WEIGHT: Final = 0.2
"""Of the last duration in the average."""
FUNCTIONS_KEPT: Final = 1_000
"""Whose durations are known: an entry takes some 300 bytes."""
ENDS_BORNE: Final = 2
"""Ends of packed jobs after which a task, or the function that ended them, gets a job of its own."""

Plan = list[tuple[int, list[BatchTask]]]
"""Groups of tasks, each with the number of them that a job runs."""


class Packing:
    """Plans packs. `definition` is the job definition of the next job, `unclaimed` a predecessor's living jobs.

    `memory_retries` are the table's: a task that has any left gets a job of its own. A job has `job_vcpus` when it asks
    for none.
    """

    def __init__(
        self,
        setting: Pack,
        *,
        jobs: int,
        ledger: Ledger,
        unclaimed: Callable[[], int] = lambda: 0,
        definition: Callable[[], str] = lambda: "",
        memory_retries: int = 0,
        parallel: PackParallel = 1,
        job_vcpus: float | None = None,
    ) -> None:
        self._setting = setting
        self._parallel = parallel
        self._job_vcpus = job_vcpus
        self._jobs = jobs
        self._ledger = ledger
        self._unclaimed = unclaimed
        self._definition = definition
        self._memory_retries = memory_retries
        self._queued = 0
        self._durations: dict[tuple[str, ResourceShape], float] = {}
        self._last_s: float | None = None
        self._ended: Counter[str] = Counter()
        """How many packed jobs each function ended."""
        self._refused: set[str] = set()
        """Definitions whose image is too old for packs."""

    @property
    def is_on(self) -> bool:
        """Jobs may run several tasks."""
        return self._setting != "off"

    @property
    def bounds_jobs(self) -> bool:
        """Tasks may be more than jobs may: also while a predecessor's packed jobs are there, whatever is set now."""
        return self.is_on or any(one.is_packed for one in self._ledger.submissions.values())

    @property
    def tasks_a_job(self) -> int:
        """How many tasks one job runs at present, at the most; 1 without packing."""
        if not self.is_on or self._definition() in self._refused:
            return 1
        if isinstance(self._setting, int):
            return self._setting
        return min(PACK_MAX, _by_duration(self._last_s) * self.parallel(PACK_MAX, None))

    def parallel(self, pack: int, vcpus: float | None) -> int:
        """How many tasks a job that runs `pack` runs at once; `vcpus` is what it asks for."""
        if self._parallel == "vcpus":
            return min(pack, max(1, int(vcpus or self._job_vcpus or 1)), PARALLEL_MAX)
        return min(pack, self._parallel)

    def expect(self, jobs: int, queued: int) -> None:
        """`jobs` may be under way, and `queued` tasks wait that are not submitted yet."""
        self._jobs, self._queued = jobs, queued

    # ---- what was learned

    def note_duration(self, task: BatchTask, seconds: float) -> None:
        """The task's function ran so long."""
        if not self.is_on or not task.function:
            return
        key = task.function, task.shape
        before = self._durations.pop(key, seconds)
        self._last_s = self._durations[key] = before + DURATION_WEIGHT * (seconds - before)
        if len(self._durations) > FUNCTIONS_KEPT:
            del self._durations[next(iter(self._durations))]

    def note_killer(self, task: BatchTask) -> None:
        """A packed job ended while it ran this task, which may be why."""
        if task.function:
            self._ended[task.function] += 1

    def refuse_image(self) -> None:
        """The image of the present job definition knows no packs: its jobs run one task each from now on."""
        definition = self._definition()
        if definition not in self._refused:
            self._refused.add(definition)
            logger.warning(
                "the image of job definition %s is of an earlier release and can't run several tasks in one job: each "
                "gets a job of its own; build and push the image anew to have tasks packed",
                definition,
            )

    # ---- plans

    def plan(self, tasks: Sequence[BatchTask]) -> Plan:
        """Group tasks of one shape by how many of them a job shall run."""
        if not self.is_on:
            return [(1, list(tasks))]
        crowd = self._crowd(tasks)
        groups: dict[int, list[BatchTask]] = {}
        packs: dict[str, int] = {}
        for task in tasks:
            if task.function not in packs:
                packs[task.function] = self._pack(task, crowd)
            pack = 1 if task.spared >= ENDS_BORNE or self._may_need_more(task.shape) else packs[task.function]
            groups.setdefault(pack, []).append(task)
        return [(min(pack, len(group)), group) for pack, group in groups.items()]

    def _may_need_more(self, shape: ResourceShape) -> bool:
        """It may be sent again with more memory, for which its old result goes: that would be a hole in a pack."""
        retries = self._memory_retries if shape.memory_retries is None else shape.memory_retries
        return retries > 0

    def within_room(self, tasks: Sequence[BatchTask]) -> tuple[Plan, list[BatchTask]]:
        """Plan as many of the tasks as there is room for; the others stay."""
        free = self.free_jobs()
        if free <= 0:  # asked for again and again while all jobs are under way
            return [], list(tasks)
        planned: Plan = []
        staying: list[BatchTask] = []
        for pack, group in self.plan(tasks):
            going = group[: max(0, free) * pack]
            if going:
                planned.append((min(pack, len(going)), going))
                free -= -(-len(going) // pack)
            staying += group[len(going) :]
        return planned, staying

    def jobs_under_way(self) -> int:
        """Jobs that count against the limit, a predecessor's unclaimed ones among them."""
        return self._unclaimed() + len(_jobs_of(self._ledger.tasks.values()))

    def free_jobs(self) -> int:
        """Jobs that may be submitted at present."""
        return self._jobs - self.jobs_under_way()

    def _pack(self, task: BatchTask, crowd: _Crowd) -> int:
        if self._ended[task.function] >= ENDS_BORNE or self._definition() in self._refused:
            return 1
        if isinstance(self._setting, int):
            return self._setting
        if crowd.fits:
            return 1
        waiting, slots, at_once = crowd.waiting, crowd.slots, self.parallel(PACK_MAX, task.shape.vcpus)
        seconds = self._durations.get((task.function, task.shape))
        a_slot = -(-waiting // slots)
        in_waves = min(waiting // (WAVES * slots), _by_duration(seconds) * at_once)
        in_one_wave = min(a_slot, _in_seconds(seconds, START_S) * at_once)
        shortest = min(waiting, _in_seconds(seconds, SHORTEST_S) * at_once)
        return min(PACK_MAX, max(min(a_slot, at_once), in_waves, in_one_wave, shortest))

    def _crowd(self, tasks: Sequence[BatchTask]) -> _Crowd:
        everything = self._ledger.tasks.values()
        jobs = _jobs_of(everything)
        # slots of packed jobs are soon free again, so they count with the free ones
        free = self._jobs - self._unclaimed() - len(jobs) + sum(is_packed for is_packed in jobs.values())
        collecting = sum(one.stage is BatchStage.COLLECTING for one in everything)
        again = sum(one.stage is not BatchStage.COLLECTING for one in tasks)
        under_way = sum(one.stage in UNDER_WAY for one in everything)
        waiting = self._queued + collecting + again
        is_small = self._queued + collecting + under_way <= self._jobs
        return _Crowd(waiting, max(1, free), fits=is_small and waiting <= free)


@dataclass(frozen=True, slots=True)
class _Crowd:
    """How many tasks wait, for how many slots that are free or soon are.

    `fits`: there are as many, also with the tasks that are under way already.
    """

    waiting: int
    slots: int
    fits: bool


def _by_duration(seconds: float | None) -> int:
    return UNMEASURED if seconds is None else max(1, _in_seconds(seconds, TARGET_S))


def _in_seconds(seconds: float | None, within_s: float) -> int:
    """Tasks of this duration that fit; of an unknown one none."""
    return 0 if seconds is None else min(PACK_MAX, int(within_s / (seconds + PROCESS_S)))


def _jobs_of(tasks: Iterable[BatchTask]) -> dict[tuple[str, int], bool]:
    """The jobs that work on these tasks, or will, and whether each runs several."""
    jobs: dict[tuple[str, int], bool] = {}
    for task in tasks:
        submission = task.submission
        if submission is not None and _has_job(task, submission):
            jobs[submission.submission_id, submission.child_of(task)] = submission.pack > 1
    return jobs


_WITH_JOB: Final = (BatchStage.ORPHANED, BatchStage.IN_BATCH, BatchStage.FETCHING)


def _has_job(task: BatchTask, submission: Submission) -> bool:
    """What is sent again has none between its two submissions; what was just claimed has a predecessor's."""
    if task.stage is BatchStage.LAUNCHING:
        return not submission.settled.is_set()
    return task.stage in _WITH_JOB and submission.job_id is not None
