"""Recording as a `Source`: the same replica and answers as of a living engine, with a clock that can be turned."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from engine.telemetry.client.recorded_events import RecordedEvents
from engine.telemetry.client.recorded_logs import RecordedLogs
from engine.telemetry.client.recorded_trends import RecordedTrends
from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.recording import Frame, Recording
from engine.telemetry.schema.messages import (
    Answer,
    Diagnose,
    Events,
    FullState,
    GetEvents,
    GetFailures,
    GetFullState,
    GetGroups,
    GetJob,
    GetJobPage,
    GetLanes,
    GetLogs,
    GetRows,
    GetTrends,
    Hello,
    Job,
    JobPage,
    JobRecord,
    JobRow,
    Refusal,
    Request,
    Snapshot,
    Welcome,
)
from engine.telemetry.schema.query import QueryError, make_page
from engine.telemetry.tally.failures import failures_of_rows
from engine.telemetry.tally.lanes import lanes_of_rows
from engine.telemetry.tally.row_groups import group_rows
from engine.telemetry.tally.usage import rate_of

NO_CONTROL: Final = "this is a recording: what it shows is over and can't be changed"
NO_DIAGNOSIS: Final = "a recording holds no diagnosis: AWS tells what is, not what was"
ROW_ONLY: Final = "From a recording: it holds what tables show, and nothing that was asked for job by job."


class ReplaySource:
    """Player of a recording, from its beginning. All times here are the engine's, seconds since the epoch."""

    def __init__(self, recording: Recording, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.replica = Replica()
        self.recording = recording
        self.speed = 1.0
        self.playing = True
        self._clock = clock
        self._trends = RecordedTrends(recording)
        self._logs = RecordedLogs(recording)
        self._events = RecordedEvents(recording)
        self._answers: deque[tuple[Callable[[Answer], None], Request]] = deque()
        self._opened = self._anchor = clock()
        self._anchored_at = recording.start
        self._frames: Iterator[Frame] = iter(())
        self._shown = -1
        """Position of the frame that the replica shows."""

    # ---- as a `Source`

    @property
    def link(self) -> LinkView:
        """Always LIVE: nothing can be lost. In words it is a replay, and whether that goes on."""
        words = "REPLAY PAUSED" if not self.playing else "REPLAY" if self.speed == 1 else f"REPLAY x{self.speed:g}"
        return LinkView(LinkState.LIVE, self._opened, words)

    @property
    def may_control(self) -> bool:
        """Never: what a recording shows is over."""
        return False

    def poll(self, timeout_s: float = 0.0) -> bool:
        """See `Source.poll`; it never waits, because nothing arrives."""
        before = self.replica.version
        self._show(self.at)
        if self.at >= self.recording.end:
            self.pause()
        while self._answers:
            on_answer, request = self._answers.popleft()
            on_answer(self._answer(request))
        return self.replica.version != before

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        """See `Source.ask`; answered out of the moment that is shown."""
        self._answers.append((on_answer, request))

    def close(self) -> None:
        """Close the recording."""
        self.recording.close()

    # ---- playing

    @property
    def at(self) -> float:
        """The moment that is shown."""
        passed = (self._clock() - self._anchor) * self.speed if self.playing else 0.0
        return min(self._anchored_at + passed, self.recording.end)

    def play(self) -> None:
        """Go on, from the beginning when it is at its end."""
        self.seek(self.recording.start if self.at >= self.recording.end else self.at)
        self.playing = True

    def pause(self) -> None:
        """Stand still at the moment that is shown."""
        self.seek(self.at)
        self.playing = False

    def seek(self, at: float) -> None:
        """Go to a moment; before the start is the start, behind the end the end."""
        self._anchored_at = min(max(at, self.recording.start), self.recording.end)
        self._anchor = self._clock()

    def set_speed(self, speed: float) -> None:
        """Play so many recorded seconds in one. Raises `ValueError` unless above 0."""
        if speed <= 0:
            raise ValueError(f"a speed of {speed}: it must be above 0")
        self.seek(self.at)
        self.speed = speed

    # ---- showing

    def _show(self, at: float) -> None:
        if not self.recording.keys:
            return
        position = self.recording.position_at(at)
        key = self.recording.key_before(position)
        if position < self._shown or key > self._shown:
            self._frames = self.recording.frames_from(key)
            self._shown = key - 1
            self.replica.forget()
        while self._shown < position and (frame := next(self._frames, None)) is not None:
            self._take(frame)
            self._shown += 1

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, FullState):
            self.replica.replace(frame, self._clock())
        else:
            self.replica.apply(frame, self._clock())

    # ---- answering

    def _answer(self, request: Request) -> Answer:
        snapshot = self.replica.snapshot
        if snapshot is None:
            return Refusal("nothing of this moment can be read: the recording is empty, or damaged here")
        if isinstance(request, GetEvents):
            return Events("recording", self._events.after(request.after))
        if isinstance(request, GetFailures):
            return failures_of_rows(self.replica.rows.values(), request, snapshot.at)
        if isinstance(request, GetJobPage | GetGroups | GetLanes):
            return self._out_of_rows(request, snapshot)
        if isinstance(request, GetRows):
            rows = self.replica.rows
            found = tuple(rows[task_id] for task_id in request.task_ids if task_id in rows)
            return JobPage(found, len(found), len(rows), snapshot.at)
        if isinstance(request, GetJob):
            return self._job(request.task_id)
        if isinstance(request, GetTrends):
            return self._trends.read_window(self.at, request)
        if isinstance(request, GetLogs):
            return self._logs.read_page(request, self.at)
        if isinstance(request, GetFullState):
            return FullState(self.replica.engine, self.replica.seq, snapshot, tuple(self.replica.rows.values()))
        if isinstance(request, Hello):
            managers = tuple(manager.manager for manager in snapshot.managers)
            return Welcome(self.replica.engine, snapshot.vitals, managers, may_control=False)
        return Refusal(NO_DIAGNOSIS if isinstance(request, Diagnose) else NO_CONTROL)

    def _out_of_rows(self, request: GetJobPage | GetGroups | GetLanes, snapshot: Snapshot) -> Answer:
        try:
            if isinstance(request, GetGroups):
                prices = {one.manager: one.price for one in snapshot.managers if one.price is not None}
                rates = {name: rate_of(one.vcpu_hour, one.gib_hour) for name, one in prices.items()}
                return group_rows(self.replica.rows.values(), request, snapshot.at, rates)
            if isinstance(request, GetLanes):
                return lanes_of_rows(self.replica.rows.values(), request, snapshot.at)
            return make_page(self.replica.rows.values(), request, snapshot.at)
        except QueryError as error:
            return Refusal(str(error))

    def _job(self, task_id: str) -> Answer:
        found = self._find_rows(task_id)
        if len(found) == 1:
            return Job(JobRecord(found[0], note=ROW_ONLY))
        how_many = "no task" if not found else f"{len(found)} tasks"
        return Refusal(f"{how_many} of this moment begin with {task_id}: give the whole id, or seek to another time")

    def _find_rows(self, task_id: str) -> list[JobRow]:
        if (row := self.replica.rows.get(task_id)) is not None:
            return [row]
        return [row for id, row in self.replica.rows.items() if id.startswith(task_id)]
