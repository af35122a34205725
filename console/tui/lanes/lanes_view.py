"""View of lanes: what they stand for, which are on screen, and the selected job. Knows nothing of a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from console.tui.lanes.time_window import TimeWindow
from engine.telemetry.schema.messages import GetLanes, JobLane, LaneBy, Lanes, LaneSpan


class LanesView:
    """Choice in lanes. The selection is a lane and a job in it; when that is gone, the one nearest in time."""

    def __init__(self) -> None:
        self.by = LaneBy.SLOT
        self.window = TimeWindow()
        self.answer: Lanes | None = None
        """None: nothing was answered yet."""
        self.top = 0
        self.height = 1
        """Lanes on screen; the table keeps it and `cells` up to date."""
        self.cells = 1
        self.index: int | None = None
        """Place of the selected lane among all; None until the user moves."""
        self.task_id = ""
        """The selected job; empty: there is none at that time in that lane."""
        self.at: float | None = None
        """Time at which jobs of other lanes are selected."""
        self._key: tuple[str, str] | None = None

    # ---- what is asked and what comes

    def request(self, filter: str, manager: str, now: float) -> GetLanes:
        """Request for the lanes on screen."""
        return GetLanes(
            start=self.window.start(self.cells, now),
            cell_s=self.window.cell_s(self.cells),
            cells=self.cells,
            by=self.by.value,
            filter=filter,
            manager=manager,
            offset=self.top,
            limit=self.height,
        )

    def take(self, answer: Lanes, offset: int) -> None:
        """Take in an answer; `offset` is that of its request. All that is kept is shown until the user chooses."""
        first_time = self.answer is None
        self.answer, self._offset = answer, offset
        if first_time and not self.window.is_chosen:
            self.window.show_all(answer.first, answer.last, answer.at)
        self._scroll_to(self.top)
        self._find_again()

    _offset = 0

    def choose(self, by: LaneBy) -> None:
        """Have the lanes stand for something else; the selected job stays, wherever its lane is."""
        self.by, self.answer, self.top, self.index, self._key = by, None, 0, None, None
        self.window.is_chosen = True

    @property
    def count(self) -> int:
        """Number of lanes, those off the screen included."""
        return self.answer.matching if self.answer else 0

    def visible(self) -> Sequence[JobLane | None]:
        """Lanes on screen; None for one that is still to come."""
        places = range(self.top, min(self.top + self.height, self.count))
        return [self._lane(place) for place in places]

    def _lane(self, place: int) -> JobLane | None:
        lanes = self.answer.lanes if self.answer else ()
        return lanes[place - self._offset] if 0 <= place - self._offset < len(lanes) else None

    # ---- the selection

    @property
    def lane(self) -> JobLane | None:
        """The selected lane, as far as it is known."""
        return None if self.index is None else self._lane(self.index)

    def move(self, by: int) -> None:
        """Select the lane `by` lines further, and its job at the same time; the first move selects the top one."""
        self.move_to((self.top if by >= 0 else self.count - 1) if self.index is None else self.index + by)

    def move_to(self, index: int) -> None:
        """Select the lane at `index`, the last one if there are fewer, and bring it on screen."""
        if not self.count:
            return
        self.index = min(max(0, index), self.count - 1)
        self._scroll_to(min(max(self.top, self.index - self.height + 1), self.index))
        self._key = None
        self._choose_nearest()

    def step(self, by: int) -> bool:
        """Select the next job of the lane (1), or the one before (-1); False when there is none in the window."""
        lane = self.lane
        if lane is None:
            return False
        here = [place for place, span in enumerate(lane.spans) if span.task_id == self.task_id]
        ahead = lane.spans[here[-1] + 1 :] if by > 0 and here else lane.spans[: here[0]][::-1] if here else ()
        for span in ahead if here else lane.spans[-1:]:
            if span.task_id:
                self._select(span)
                return True
        return False

    def select_at(self, line: int, cell: int) -> bool:
        """Select the lane on that line of the screen, and its job at that cell; False when there is no lane."""
        if self.answer is None or not 0 <= self.top + line < self.count:
            return False
        self.at = self.answer.start + (cell + 0.5) * self.answer.cell_s
        self.move_to(self.top + line)
        return True

    def release(self) -> None:
        """Select nothing."""
        self.index, self.task_id, self.at, self._key = None, "", None, None

    def scroll(self, by: int) -> None:
        """Scroll by lanes; the selection stays."""
        self._scroll_to(self.top + by)

    def resize(self, height: int, cells: int) -> None:
        """Set how many lanes and cells fit; the selected lane stays on screen."""
        self.height, self.cells = max(1, height), max(1, cells)
        at = self.index
        self._scroll_to(self.top if at is None else min(max(self.top, at - self.height + 1), at))

    def is_selected(self, place: int) -> bool:
        """The selected lane is the one on that line of the screen."""
        return self.index == self.top + place

    def _scroll_to(self, top: int) -> None:
        self.top = max(0, min(top, self.count - self.height))

    def _find_again(self) -> None:
        """Keep lane and job selected in a newer answer."""
        if self.index is None:
            return
        self.index = min(self.index, max(0, self.count - 1))
        if self._key is not None and self.answer is not None:
            places = (place for place, lane in enumerate(self.answer.lanes) if (lane.manager, lane.key) == self._key)
            self.index = next(places, self.index - self._offset) + self._offset
        lane = self.lane
        if lane is not None and not any(span.task_id == self.task_id for span in lane.spans if self.task_id):
            self._choose_nearest()

    def _choose_nearest(self) -> None:
        lane, answer = self.lane, self.answer
        if lane is None or answer is None:
            return
        self._key = lane.manager, lane.key
        at = answer.at if self.at is None else self.at
        cell = (at - answer.start) / answer.cell_s
        spans = [span for span in lane.spans if span.task_id]
        if spans:
            near = min(spans, key=lambda span: max(span.cell - cell, cell - span.cell - span.cells, 0.0))
            self.task_id = near.task_id
        else:
            self.task_id = ""

    def _select(self, span: LaneSpan) -> None:
        assert self.answer is not None
        self.task_id = span.task_id
        self.at = self.answer.start + (span.cell + span.cells / 2) * self.answer.cell_s
