"""Window of time: zoom, move, the present, and cells that stand still."""

from __future__ import annotations

import pytest

from console.tui.lanes.time_window import SPANS_S, TimeWindow, tick_s

NOW = 1_800_000_000.0


@pytest.fixture
def window() -> TimeWindow:
    return TimeWindow()


def test_cells_stand_still_until_the_present_enters_the_next_one(window: TimeWindow) -> None:
    cells = 100  # of 3 s each
    start = window.start(cells, NOW)
    assert [window.start(cells, NOW + passed) - start for passed in (1.0, 2.9, 3.1)] == [0.0, 0.0, 3.0]
    assert start <= NOW - window.span_s + 3.0
    assert start + cells * 3.0 > NOW


def test_zooming_goes_through_the_lengths_and_no_further(window: TimeWindow) -> None:
    for step, last in ((1, SPANS_S[0]), (-1, SPANS_S[-1])):
        for _ in SPANS_S:
            window.zoom(step, None, NOW)
        assert window.span_s == last


def test_zooming_keeps_the_selected_time_where_it_is(window: TimeWindow) -> None:
    at = NOW - 225.0  # a quarter from the left
    window.zoom(1, at, NOW)
    assert window.end is not None
    assert (at - (window.end - window.span_s)) / window.span_s == pytest.approx(0.25)


def test_zooming_without_a_selected_time_goes_on_to_follow(window: TimeWindow) -> None:
    window.zoom(1, None, NOW)
    assert window.follows


def test_it_is_moved_back_and_follows_again_at_the_present(window: TimeWindow) -> None:
    window.shift(-0.5, NOW)
    assert window.end == NOW - window.span_s / 2
    window.shift(0.5, NOW)
    assert window.follows


@pytest.mark.parametrize(("first", "span_s"), [(20, 30), (58, 60), (59.9, 120), (900_000, SPANS_S[-1])])
def test_all_of_what_goes_on_is_shown_up_to_the_present(window: TimeWindow, first: float, span_s: float) -> None:
    window.show_all(NOW - first, NOW, NOW)
    assert (window.span_s, window.follows) == (span_s, True)


def test_all_of_what_is_over_is_shown_up_to_its_end(window: TimeWindow) -> None:
    window.show_all(NOW - 7_100, NOW - 7_000, NOW)
    assert window.end == pytest.approx(NOW - 6_998)
    assert window.span_s == 120


def test_nothing_kept_changes_nothing(window: TimeWindow) -> None:
    window.show_all(None, None, NOW)
    assert (window.span_s, window.follows) == (300.0, True)


def test_labels_have_room_at_round_times() -> None:
    assert [tick_s(cell_s, 10) for cell_s in (0.3, 3.0, 6.0, 1e6)] == [5, 30, 60, 43_200]
