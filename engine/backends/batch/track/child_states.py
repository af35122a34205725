"""Estimate of each child's state in an array job, from counts and the little that is known of single children.

Batch counts an array's children by state in one answer; asking for each would cost a call a hundred. So the counts
are taken as they are, children that are known keep what is known of them, and the rest is filled up in index
order, the furthest state first, which is the order in which Batch starts children. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from engine.aws.batch_states import LIVING, BatchState

_STILL_ENDING: Final = (BatchState.RUNNING, BatchState.STARTING)
"""What Batch says of a child whose result is there already."""
_FURTHEST_FIRST: Final = (BatchState.SUCCEEDED, BatchState.FAILED, *reversed(LIVING))
_OVER_OR_ENDING: Final = (BatchState.SUCCEEDED, BatchState.FAILED, *_STILL_ENDING)


def child_states(
    size: int, summary: Mapping[BatchState, int], ended: Collection[int], listed: Mapping[int, BatchState]
) -> list[BatchState]:
    """Give a state for each index. However they are spread, there are as many of each as `summary` counts.

    `ended` are the children known to be over, `listed` those that a listing showed. Children that `summary` does
    not count (it may lag behind) are SUBMITTED.
    """
    room = Counter(summary)
    states: list[BatchState | None] = [None] * size
    for index in sorted(ended):
        states[index] = _take(room, _OVER_OR_ENDING)
    for index in sorted(listed):
        if states[index] is None:
            states[index] = _take(room, (listed[index],))
    rest = _in_order(room)
    return [state or next(rest, BatchState.SUBMITTED) for state in states]


def _take(room: Counter[BatchState], wanted: tuple[BatchState, ...]) -> BatchState | None:
    for state in wanted:
        if room[state] > 0:
            room[state] -= 1
            return state
    return None


def _in_order(room: Counter[BatchState]) -> Iterator[BatchState]:
    for state in _FURTHEST_FIRST:
        for _ in range(room[state]):
            yield state
