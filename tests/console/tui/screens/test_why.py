"""The why screen: it asks until AWS has answered, says what came, and takes away what can be done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.go_to import go_to
from console.tui.screens.help import help_text
from console.tui.screens.why import WhyScreen
from console.tui.state import Quit
from engine.telemetry.client.source import LinkState
from engine.telemetry.schema.messages import Answer, Diagnose, Diagnosed, JobState, Refusal, Request, VerdictKind
from tests.support.cases import first_now
from tests.support.console.demo.diagnosis import nothing_stuck, without_capacity
from tests.support.console.frozen_console import first_of
from tests.support.console.recorded_console import record, replaying
from tests.support.console.running_app import WatchedSource, beats, running
from tests.support.console.widget_app import Clock

NOW = 1_800_000_000.0
FOUND = Diagnosed(without_capacity(NOW, "queue pricing-spot-queue"))
UNDER_WAY = Diagnosed(under_way=True)


class AskedSource(WatchedSource):
    """Answers why something waits with what a test put there, and remembers what was asked."""

    def __init__(self, *answers: Answer, managers: tuple[str, ...] = ("pricing-spot",)) -> None:
        super().__init__(managers=managers)
        self.answers = list(answers)
        self.asked: list[Diagnose] = []

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        if isinstance(request, Diagnose):
            self.asked.append(request)
            on_answer(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        else:
            super().ask(request, on_answer)


async def later(app: ConsoleApp, pilot: Pilot[Quit], seconds: float = 1.0) -> None:
    """The clock goes on, and a beat goes by."""
    clock = app.state.clock
    assert isinstance(clock, Clock)
    clock.now += seconds
    await beats(app, pilot)


def why(app: ConsoleApp) -> WhyScreen:
    assert isinstance(app.top_screen, WhyScreen)
    return app.top_screen


def copied(app: ConsoleApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes to the terminal's clipboard from now on."""
    monkeypatch.delenv("TMUX", raising=False)
    texts: list[str] = []
    monkeypatch.setattr(app, "copy_to_clipboard", texts.append)
    return texts


async def test_it_asks_until_the_answer_is_there_and_not_again_before_r(monkeypatch: pytest.MonkeyPatch) -> None:
    source = AskedSource(UNDER_WAY, UNDER_WAY, FOUND)
    async with running(source) as (app, pilot):
        app.state.clock = Clock()
        await pilot.press("w")
        await beats(app, pilot)
        assert "asking AWS" in why(app).verdict.text
        await later(app, pilot)
        await later(app, pilot)
        await later(app, pilot, 60)
        assert "blocked by capacity" in why(app).verdict.text
        assert "AWS says: CAPACITY" in why(app).verdict.text
        assert source.asked == [Diagnose("pricing-spot", "")] * 3
        source.answers = [msgspec.structs.replace(FOUND, under_way=True), Diagnosed(nothing_stuck(NOW, "queue"))]
        await pilot.press("r")
        await beats(app, pilot)
        assert "blocked by capacity" in why(app).verdict.text
        assert "asking AWS again" in why(app).verdict.text
        await later(app, pilot)
        assert "nothing is stuck" in why(app).verdict.text
        assert "nothing needs to be done" in why(app).remedies.text


@pytest.mark.parametrize("link", [LinkState.CONNECTING, LinkState.LOST])
async def test_aws_is_not_said_to_be_asked_while_the_engine_is_out_of_reach(link: LinkState) -> None:
    source = AskedSource(UNDER_WAY)
    source.link = replace(source.link, state=link)
    async with running(source) as (app, pilot):
        await pilot.press("w")
        await beats(app, pilot)
        assert "asking AWS" not in why(app).verdict.text
        assert "out of reach" in why(app).verdict.text


async def test_each_check_is_shown_as_it_comes_and_nothing_is_called_well_meanwhile() -> None:
    assert FOUND.diagnosis is not None
    some = msgspec.structs.replace(
        FOUND.diagnosis,
        kind=VerdictKind.PROGRESSING,
        verdict="asking AWS",
        checks=FOUND.diagnosis.checks[:1],
        remedies=(),
    )
    async with running(AskedSource(Diagnosed(some, under_way=True), FOUND)) as (app, pilot):
        app.state.clock = Clock()
        await pilot.press("w")
        await beats(app, pilot)
        assert some.checks[0].name in why(app).checks.text
        assert "asking AWS" in why(app).verdict.text
        assert "nothing needs to be done" not in why(app).remedies.text
        await later(app, pilot)
        assert "blocked by capacity" in why(app).verdict.text


@pytest.mark.parametrize("size", first_now([(80, 24), (120, 40)], tuples=True))
async def test_every_check_can_be_read_with_its_evidence(size: tuple[int, int]) -> None:
    async with running(AskedSource(FOUND), size) as (app, pilot):
        await pilot.press("w")
        await beats(app, pilot)
        assert FOUND.diagnosis is not None
        seen = ""
        await pilot.press("g")
        for _ in range(20):
            seen += " ".join(why(app).checks.text.replace("│", " ").replace("┃", " ").split())
            await pilot.press("ctrl+d")
        for word in ("pass", "FAIL", "warn", "unknown", "not run", "AccessDenied"):
            assert word in seen


async def test_the_first_failure_is_on_the_screen_however_small() -> None:
    async with running(AskedSource(FOUND), (80, 24)) as (app, pilot):
        await pilot.press("w")
        await beats(app, pilot)
        assert "FAIL" in why(app).checks.text


async def test_a_selected_job_is_asked_about_and_without_one_the_manager_that_waits_longest() -> None:
    source = AskedSource(FOUND, managers=("pricing-spot", "risk-gpu"))
    async with running(source) as (app, pilot):
        await pilot.press("w")
        await beats(app, pilot)
        await pilot.press("escape", "j", "w")
        await beats(app, pilot)
        selected = app.state.view.selected
        assert source.asked == [Diagnose("pricing-spot", ""), Diagnose("", selected or "")]
        go_to(app, "why 0a34")
        await beats(app, pilot)
        assert source.asked[-1] == Diagnose("", "0a34")
        await pilot.press("escape", "escape")
        assert app.top_screen is app.dashboard


async def test_the_chosen_command_is_copied_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(AskedSource(FOUND)) as (app, pilot):
        texts = copied(app, monkeypatch)
        await pilot.press("w")
        await beats(app, pilot)
        await pilot.press("y", "tab", "j", "y", "j", "y")
        assert FOUND.diagnosis is not None
        assert texts == [remedy.command for remedy in FOUND.diagnosis.remedies if remedy.command]


def texts_in(folder: Path) -> dict[str, str]:
    """By suffix."""
    return {file.suffix: file.read_text() for file in folder.iterdir()}


@pytest.mark.long
async def test_what_is_not_there_yet_is_neither_copied_nor_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(AskedSource(UNDER_WAY), folder=tmp_path) as (app, pilot):
        texts = copied(app, monkeypatch)
        await pilot.press("w", "e", "y", "Y")
        assert (texts_in(tmp_path), texts) == ({}, [])


@pytest.mark.long
async def test_a_report_is_written_as_markdown_and_json(tmp_path: Path) -> None:
    async with running(AskedSource(FOUND), folder=tmp_path) as (app, pilot):
        await pilot.press("w")
        await beats(app, pilot)
        await pilot.press("e")
        texts = texts_in(tmp_path)
        assert msgspec.json.decode(texts[".json"]) == json.loads(msgspec.json.encode(FOUND.diagnosis))
        assert "# Why: queue pricing-spot-queue" in texts[".md"]
        assert "| what AWS says of the job | fail |" in texts[".md"]
        assert "aws batch update-job-queue --job-queue pricing-spot-queue" in texts[".md"]


async def test_a_refusal_is_shown_and_asked_again_when_somebody_wants_to() -> None:
    source = AskedSource(Refusal("no task 0a34 is known here"))
    async with running(source) as (app, pilot):
        app.state.clock = Clock()
        go_to(app, "why 0a34")
        await beats(app, pilot)
        await later(app, pilot, 60)
        assert "no task 0a34 is known here; r asks again" in why(app).verdict.text
        assert len(source.asked) == 1
        await pilot.press("r")
        await beats(app, pilot)
        assert len(source.asked) == 2


async def test_a_lost_engine_is_asked_again_by_itself_and_what_it_said_stays() -> None:
    source = AskedSource(FOUND)
    async with running(source) as (app, pilot):
        app.state.clock = Clock()
        await pilot.press("w")
        await beats(app, pilot)
        source.lose(LinkState.LOST)
        source.answers = [Refusal("ENGINE LOST 10:48:31, retry in 4 s")]
        await pilot.press("r")
        await later(app, pilot)
        await later(app, pilot)
        assert "blocked by capacity" in why(app).verdict.text
        assert "ENGINE LOST" in why(app).verdict.text
        source.heal()
        source.answers = [FOUND]
        await later(app, pilot)
        assert "ENGINE LOST" not in why(app).verdict.text


async def test_text_of_others_is_harmless() -> None:
    nasty = msgspec.structs.replace(
        without_capacity(NOW, "q"), verdict="\x1b[31mblocked\x07", reason="a\nb\x1b]0;x\x07"
    )
    async with running(AskedSource(Diagnosed(nasty))) as (app, pilot):
        await pilot.press("w")
        await beats(app, pilot)
        assert "blocked" in why(app).verdict.text
        assert not {"\x1b", "\x07"} & set(why(app).verdict.text)


@pytest.mark.long
async def test_one_pane_alone_and_back() -> None:
    async with running(AskedSource(FOUND), (80, 24)) as (app, pilot):
        await pilot.press("w", "z")
        await beats(app, pilot)
        assert (why(app).checks.size.height, why(app).verdict.display) == (22, False)
        await pilot.press("escape")
        await pilot.pause()
        assert (why(app).verdict.display, why(app).zoomed) == (True, None)


@pytest.mark.long
async def test_a_job_is_named_in_the_trail() -> None:
    async with running(AskedSource(FOUND)) as (app, pilot):
        row = first_of(app.state.source, JobState.RUNNABLE)  # type: ignore[arg-type]
        app.open_why(row.task_id)
        await beats(app, pilot)
        assert f"{row.function} {row.task_id[:8]}" in app.top_screen.top_bar.text


@pytest.mark.long
async def test_a_recording_offers_no_diagnosis(tmp_path: Path) -> None:
    record(tmp_path / "night")
    async with replaying(tmp_path / "night") as (app, pilot):
        assert "recording holds no diagnosis" in go_to(app, "why")
        assert "why" not in app.top_screen.key_bar.text
        assert "Why the selected job waits" not in help_text(app.top_screen)
        await pilot.press("w")
        assert app.top_screen is app.dashboard
        told: list[Answer] = []
        app.state.source.ask(Diagnose(), told.append)
        app.state.source.poll()
        [answer] = told
        assert isinstance(answer, Refusal)
        assert "recording holds no diagnosis" in answer.text
