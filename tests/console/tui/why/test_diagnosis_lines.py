"""Lines of a diagnosis."""

from __future__ import annotations

from console.tui.drawing.glyphs import UNICODE
from console.tui.why.diagnosis_lines import history
from engine.telemetry.schema.messages import JobState, Trends


def test_a_state_that_had_no_job_in_the_last_hour_stands_at_zero_now() -> None:
    trends = Trends(window="1h", start=0.0, step_s=60.0, counts={JobState.RUNNING: (3, 1_200)})
    lines = ["".join(text for text, _ in line) for line in history(trends, UNICODE, 40)]
    assert [line.rsplit("now", 1)[1].strip() for line in lines] == ["0", "0", "1,200"]
