"""Lines of a diagnosis: signs follow from what a verdict means, whatever its sentence says."""

from __future__ import annotations

import msgspec
import pytest

from console.tui.drawing.glyphs import UNICODE, VERDICT_LOOKS
from console.tui.drawing.spans import Line
from console.tui.why.diagnosis_lines import check_lines, trend_lines, verdict_lines
from engine.telemetry.schema.messages import CheckResult, CheckStatus, Diagnosis, JobState, Trends, VerdictKind
from tests.support.console.demo.diagnosis import without_capacity

NOW = 1_800_000_000.0
SENTENCES = ("not stuck: it runs", "healthy: it runs", "blocked by capacity", "failed", "nothing is stuck", "")


def head_of(diagnosis: Diagnosis) -> Line:
    return verdict_lines(diagnosis, (), UNICODE, 80)[0]


@pytest.mark.parametrize("kind", VerdictKind)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_reworded_verdict_keeps_its_sign(kind: VerdictKind, sentence: str) -> None:
    """Whatever its checks found, too."""
    diagnosis = msgspec.structs.replace(without_capacity(NOW, "queue"), verdict=sentence, kind=kind)
    look = VERDICT_LOOKS[kind]
    assert head_of(diagnosis)[0] == (f" {look.sign} ", look.role)


def test_a_verdict_of_an_engine_that_tells_no_kind_is_shown_all_the_same() -> None:
    told = msgspec.to_builtins(without_capacity(NOW, "queue"))
    del told["kind"]
    assert head_of(msgspec.convert(told, Diagnosis))[0] == (" ! ", "warning")


def test_a_check_s_evidence_is_shown_word_for_word_and_the_first_failure_is_found() -> None:
    results = (
        CheckResult("one", CheckStatus.NOT_RUN, "no job waits"),
        CheckResult("two", CheckStatus.FAIL, "fail: it says so itself", "batch:DescribeJobs", NOW),
    )
    lines, failed = check_lines(results, NOW, UNICODE, 120)
    texts = ["".join(text for text, _ in line) for line in lines]
    assert failed == 2
    assert "not run no job waits" in " ".join(texts[1].split())
    assert "FAIL fail: it says so itself batch:DescribeJobs" in " ".join(texts[2].split())


def test_without_trends_nothing_is_made_up() -> None:
    [line] = trend_lines(None, None, UNICODE, 40)
    assert "nothing counted yet" in line[0][0]
    assert len(trend_lines(Trends("1h", 0.0, 1.0, {JobState.RUNNING: (1, 2)}), {}, UNICODE, 40)) == 3


def test_what_is_now_is_the_snapshots_and_not_the_newest_sample_of_the_hour() -> None:
    trends = Trends(window="1h", start=0.0, step_s=60.0, counts={JobState.RUNNING: (3, 3)})
    counts = {JobState.RUNNABLE: 100, JobState.RUNNING: 1_200}
    lines = ["".join(text for text, _ in line) for line in trend_lines(trends, counts, UNICODE, 40)]
    assert [line.rsplit("now", 1)[1].strip() for line in lines] == ["100", "0", "1,200"]
    unknown = ["".join(text for text, _ in line) for line in trend_lines(trends, None, UNICODE, 40)]
    assert [line.rsplit("now", 1)[1].strip() for line in unknown] == ["–", "–", "–"]
