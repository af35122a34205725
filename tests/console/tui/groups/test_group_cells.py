"""The bar of a group: every share that there is has a cell, and the cells add up."""

from __future__ import annotations

import msgspec

from console.tui.drawing.glyphs import ASCII, UNICODE
from console.tui.drawing.spans import line_width, plain
from console.tui.groups.group_cells import GroupCells
from engine.telemetry.schema.messages import Forecast, JobGroup, JobState


def group(**counts: int) -> JobGroup:
    return JobGroup("f", "m", {JobState(name): count for name, count in counts.items()})


def test_a_bar_has_a_sign_for_each_share_with_and_without_colours() -> None:
    jobs = group(SUCCEEDED=50, FAILED=10, RUNNING=20, QUEUED=20)
    assert plain(GroupCells(UNICODE).bar(jobs, 10)) == "█████▓▒▒░░"
    assert plain(GroupCells(ASCII).bar(jobs, 10)) == "#####x==.."
    assert line_width(GroupCells(UNICODE).bar(group(QUEUED=1), 10)) == 10


def test_a_group_is_at_100_percent_only_when_all_have_ended() -> None:
    cells = GroupCells(UNICODE)
    assert cells.share(group(SUCCEEDED=99_999, RUNNING=1))[0] == "99%"
    assert cells.share(group(SUCCEEDED=99_999, FAILED=1))[0] == "100%"


def test_while_nothing_is_submitted_no_time_is_foretold() -> None:
    jobs = msgspec.structs.replace(group(RUNNING=20, QUEUED=20), forecast=Forecast(4.0, 9.0))
    cells = GroupCells(UNICODE)
    assert cells.eta(jobs) == ("4s–9s", "text")
    cells.halted = True
    assert cells.eta(jobs) == ("–", "muted")
