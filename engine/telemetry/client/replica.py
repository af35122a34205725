"""Replica of an engine's state at a viewer: the newest snapshot, and every row while there are not too many.

Owns how ticks become state: what is old is ignored, what is missing is noticed, and a `FullState` heals it even when
ticks overtook it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.telemetry.schema.messages import FullState, JobRow, Snapshot, Tick

_KEPT_TICKS: Final = 64
"""While a full state is awaited; with more the next gap asks again."""


class Replica:
    """State of one engine. Read freely, written by its source only.

    `version` goes up with every change; `received_at` is on the source's monotonic clock.
    """

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.rows: dict[str, JobRow] = {}
        """By task id; empty when the snapshot is windowed."""
        self.engine = ""
        self.seq = -1
        self.received_at = 0.0
        self.version = 0
        self.skipped = 0
        """Ticks that never arrived."""
        self.complete = False
        """`rows` is what the engine has; if not, a `FullState` must be asked for."""
        self.changed: set[str] = set()
        """Task ids whose row came, changed or went since `take_changed`."""
        self._waiting: deque[Tick] = deque(maxlen=_KEPT_TICKS)

    def take_changed(self) -> set[str]:
        """Ids that changed since the last call."""
        taken, self.changed = self.changed, set()
        return taken

    def forget(self) -> None:
        """Start over: whatever comes next counts, also when it is older, because a recording is wound back."""
        self._start_over("")

    def apply(self, tick: Tick, now: float) -> bool:
        """Apply one tick; False when it is an old one."""
        if tick.engine != self.engine:
            self._start_over(tick.engine)
        elif tick.seq <= self.seq:
            return False
        elif tick.seq > self.seq + 1:
            self.skipped += tick.seq - self.seq - 1
            self.complete = False
        was_paged = self.snapshot is not None and self.snapshot.paged
        self._note(tick.seq, tick.snapshot, now)
        if tick.snapshot.paged:
            self._replace({})
        elif was_paged or not self.complete:
            self.complete = False
            self._waiting.append(tick)
        else:
            self._change(tick)
        return True

    def replace(self, state: FullState, now: float) -> None:
        """Replace everything, then apply the ticks that overtook it."""
        later = [tick for tick in self._waiting if tick.engine == state.engine and tick.seq > state.seq]
        if state.engine != self.engine:
            self._start_over(state.engine)
        elif state.seq < self.seq and not later:
            return  # an answer that the ticks made out of date
        self._note(state.seq, state.snapshot, now)
        self._replace({row.task_id: row for row in state.rows})
        for tick in later:
            self.apply(tick, now)

    def _start_over(self, engine: str) -> None:
        self.engine, self.seq, self.complete = engine, -1, False
        self._waiting.clear()

    def _note(self, seq: int, snapshot: Snapshot, now: float) -> None:
        self.seq, self.snapshot, self.received_at = seq, snapshot, now
        self.version += 1

    def _replace(self, rows: dict[str, JobRow]) -> None:
        self.changed.update(self.rows, rows)
        self.rows = rows
        self.complete = True
        self._waiting.clear()

    def _change(self, tick: Tick) -> None:
        for row in tick.changed:
            self.rows[row.task_id] = row
            self.changed.add(row.task_id)
        for task_id in tick.removed:
            self.rows.pop(task_id, None)
            self.changed.add(task_id)
