"""A made-up engine in the console's own process: a `Source` whose jobs move, for tests, benchmarks and pictures.

Everything comes from a seed and an injected clock, so that a picture drawn twice is the same picture. It knows no
sockets; `tests.support.console.demo.answers` answers what is asked.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.schema.messages import (
    ENDED,
    REPLICA_LIMIT,
    TICK_S,
    Answer,
    FullState,
    JobRow,
    JobState,
    Request,
    Snapshot,
    Tick,
)
from tests.support.console.demo.answers import DemoAnswers
from tests.support.console.demo.figures import DemoFigures

STARTED_AT: Final = 1_767_264_528.0
"""The made-up engine's clock begins here."""
MANAGER: Final = "pricing-spot"
FUNCTIONS: Final = ("price_leg", "simulate_paths", "calibrate", "risk_report", "load_curves")
REASONS: Final = ("Host EC2 (instance i-0ab31c) terminated.", "OutOfMemoryError", "ValueError", "ZeroDivisionError")
STUCK_REASON: Final = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - no c6i.large in eu-west-1b"
WAY: Final = (
    JobState.QUEUED,
    JobState.SUBMITTED,
    JobState.RUNNABLE,
    JobState.STARTING,
    JobState.RUNNING,
    JobState.SUCCEEDED,
)
STAYS: Final = 0.92
"""Probability that an ended job stays as it is when its turn comes: most of the list has ended."""
HISTORY_S: Final = 900.0


class DemoSource:
    """`jobs` rows of which `transitions_per_second` move; 0 of them make a still picture."""

    def __init__(
        self,
        jobs: int = 10_000,
        transitions_per_second: float = 1_000.0,
        *,
        seed: int = 1,
        managers: tuple[str, ...] = (MANAGER,),
        clock: Callable[[], float] = time.monotonic,
        may_control: bool = False,
    ) -> None:
        self.replica = Replica()
        self.may_control = may_control
        self.link = LinkView(LinkState.LIVE, clock(), round_trip_s=0.003)
        self.rows: dict[str, JobRow] = {}
        self._random = random.Random(seed)
        self._clock, self._begun, self._last = clock, clock(), clock()
        self._rate = transitions_per_second
        self._managers = managers
        self._figures = DemoFigures(managers)
        self._answers = DemoAnswers(self.rows, self._figures)
        self._waiting: list[tuple[Request, Callable[[Answer], None]]] = []
        self._ids: list[str] = []
        self._made = 0
        self._fill(jobs)
        self.replica.replace(FullState("demo", 0, self._snapshot(), self._replicated()), self._last)

    @property
    def now(self) -> float:
        """The made-up engine's clock."""
        return STARTED_AT + self._clock() - self._begun

    def poll(self, timeout_s: float = 0.0) -> bool:
        answers = self.take_answers()
        for tell in answers:
            tell()
        elapsed = self._clock() - self._last
        if elapsed < TICK_S or not self._rate:
            return bool(answers)
        self._last += elapsed
        self.tick(round(elapsed * self._rate))
        return True

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        self._waiting.append((request, on_answer))

    def close(self) -> None:
        self._waiting.clear()

    def take_answers(self) -> list[Callable[[], None]]:
        """Answer the requests that wait; returns the deliveries."""
        waiting, self._waiting = self._waiting, []
        return [partial(on_answer, self._answers.answer(request, self.now)) for request, on_answer in waiting]

    def tick(self, transitions: int) -> None:
        """So many jobs move, and the replica hears of it."""
        changed: dict[str, JobRow] = {}
        removed: list[str] = []
        for _ in range(transitions):
            self._move(self._random.randrange(len(self._ids)), changed, removed)
        for task_id in removed:
            changed.pop(task_id, None)
        self._figures.passed(changed.values(), self.now)
        rows = () if self._paged else tuple(changed.values())
        tick = Tick("demo", self.replica.seq + 1, self._snapshot(), rows, tuple(removed))
        self.replica.apply(tick, self._clock())

    # ---- the jobs

    @property
    def _paged(self) -> bool:
        return len(self.rows) > REPLICA_LIMIT

    def _replicated(self) -> tuple[JobRow, ...]:
        return () if self._paged else tuple(self.rows.values())

    def _snapshot(self) -> Snapshot:
        return self._figures.snapshot(self.now, len(self.rows), self._paged)

    def _fill(self, jobs: int) -> None:
        """Most have ended, some of each kind are on their way, a few are stuck or failed."""
        weights = {JobState.SUCCEEDED: 70.0, JobState.RUNNING: 12.0, JobState.QUEUED: 8.0, JobState.SUBMITTED: 4.0}
        weights |= {JobState.RUNNABLE: 4.0, JobState.STARTING: 1.5, JobState.FAILED: 0.3, JobState.CANCELLED: 0.2}
        states = self._random.choices(list(weights), list(weights.values()), k=jobs)
        for state in states:
            row = self._new_row(self.now - self._random.uniform(30, HISTORY_S))
            row = self._entered(row, state, self._random.uniform(row.created, self.now))
            self._ids.append(row.task_id)
            self.rows[row.task_id] = row
        self._figures.passed(self.rows.values(), self.now)

    def _new_row(self, created: float) -> JobRow:
        self._made += 1
        raw = int(self._random.lognormvariate(9.3, 1.4))
        route = "inline" if raw < 22_000 else "inline-gzip" if raw < 60_000 else "s3"
        return JobRow(
            task_id=f"{self._random.getrandbits(64):016x}{self._made:016x}",
            manager=self._managers[self._made % len(self._managers)],
            state=JobState.QUEUED,
            since=created,
            created=created,
            function=FUNCTIONS[self._made % len(FUNCTIONS)],
            route=route,
            raw_bytes=raw,
            wire_bytes=raw if route != "inline-gzip" else raw // 3,
            array_size=100,
        )

    def _move(self, place: int, changed: dict[str, JobRow], removed: list[str]) -> None:
        row = self.rows[self._ids[place]]
        if row.state in ENDED:
            if self._random.random() < STAYS:
                return
            del self.rows[row.task_id]
            removed.append(row.task_id)
            row = self._new_row(self.now)
            self._ids[place] = row.task_id
        else:
            row = self._entered(row, self._next(row.state), self.now)
        self.rows[row.task_id] = changed[row.task_id] = row

    def _next(self, state: JobState) -> JobState:
        if state is JobState.RUNNING and self._random.random() < 0.01:
            return JobState.FAILED
        return WAY[WAY.index(state) + 1]

    def _entered(self, row: JobRow, state: JobState, at: float) -> JobRow:
        begun = state in (JobState.STARTING, JobState.RUNNING) or state in ENDED
        reason, code = "", None
        if state is JobState.FAILED:
            reason, code = self._random.choice(REASONS), self._random.choice((1, 137))
        elif state is JobState.RUNNABLE and self.now - at > 600:
            reason = STUCK_REASON
        return msgspec.structs.replace(
            row,
            state=state,
            since=at,
            attempt=(self._random.randint(1, 3) if state is JobState.FAILED else 1) if begun else 0,
            job_id=f"6f1d3c1e-2b7a-4a51-9b0e-{self._made // 100:012x}:{self._made % 100}",
            reason=reason,
            exit_code=0 if state is JobState.SUCCEEDED else code,
            duration_s=self._random.uniform(0.4, 9.0) if state in ENDED else None,
        )
