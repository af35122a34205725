"""Alert lines: two at most, the key always on them, and how many more there are."""

from __future__ import annotations

from console.tui.health.alerts import Alert
from console.tui.widgets.alert_line import AlertLine
from tests.support.console.single_pane import draw_pane

LONG = Alert("stuck", "300 jobs wait behind CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY " + "x " * 200 + "end", "w")


async def test_an_alert_that_fits_is_one_line_with_its_key() -> None:
    pane = AlertLine()
    lines = await draw_pane(pane, lambda: pane.show([Alert("failed", "3 new failures", "a")]), 100, 1)
    assert [line.rstrip() for line in lines] == [" ▲ 3 new failures (a)"]


async def test_a_long_alert_takes_two_lines_and_its_key_is_never_cut_off() -> None:
    pane = AlertLine()
    lines = await draw_pane(pane, lambda: pane.show([LONG]), 80, 2)
    assert len(lines) == 2
    assert lines[1].rstrip().endswith("… (w)")


async def test_the_second_line_is_the_next_alert_and_the_rest_is_counted() -> None:
    pane = AlertLine()
    short = [Alert("error", f"alert {number}", "w") for number in range(4)]
    lines = await draw_pane(pane, lambda: pane.show(short), 80, 2)
    assert lines[0].startswith(" ▲ alert 0 (w)")
    assert lines[1].rstrip() == " ▲ alert 1 (w)  +2 more"


async def test_a_recording_names_no_key_that_does_nothing_there() -> None:
    pane = AlertLine()
    lines = await draw_pane(pane, lambda: pane.show([Alert("failed", "3 new failures", "a")], with_keys=False), 100, 1)
    assert [line.rstrip() for line in lines] == [" ▲ 3 new failures"]
