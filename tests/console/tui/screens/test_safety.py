"""Safety: a key acts on what is seen, a slip ends nothing, and every refusal is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Button, Static

from console.tui.app import ConsoleApp
from console.tui.preferences import Preferences
from console.tui.screens.confirm import cancel_lines, confirm_cancel
from console.tui.screens.confirm_stack import _notes
from console.tui.screens.dialog import Dialog
from console.tui.screens.quit import quit_dialog, quit_local_dialog
from console.tui.state import ConsoleState, EngineOwnership, Quit
from engine.telemetry.client.source import LinkState
from engine.telemetry.schema.messages import PAGE_LIMIT, REPLICA_LIMIT, CancelJobs, JobState
from provisioner.json_schema import PlanReport
from tests.support.cases import first_now
from tests.support.console.frozen_console import demo, first_of
from tests.support.console.running_app import WatchedSource, beats, running
from tests.support.console.single_pane import manager_view, snapshot_of
from tests.support.console.widget_samples import row


def said(app: ConsoleApp) -> str:
    return " ".join(toast.message for toast in app._notifications)


async def test_a_mark_that_the_filter_hides_is_said_and_left_alone() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("slash", *"=RUN", "enter", "g", "space", "space")
        hidden = set(app.state.view.marks)
        await pilot.press("slash", *["backspace"] * 4, *"=RBL", "enter", "g", "space")
        assert "3 marked, 2 hidden" in app.dashboard.table.text
        await pilot.press("K", "y")
        await pilot.pause()
        [request] = source.controlled
        assert isinstance(request, CancelJobs)
        assert len(request.task_ids) == 1
        assert not hidden & set(request.task_ids)


async def test_with_the_list_hidden_no_key_acts_on_a_job() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("g", "space", "2", "j", "K")
        assert app.screen is app.top_screen
        assert app.state.view.targets() == ()
        assert "the list of jobs is hidden" in said(app)
        await pilot.press("2", "K")
        assert app.screen is not app.top_screen


@pytest.mark.long
async def test_after_an_action_no_other_job_is_selected() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("slash", *"=RUN", "enter", "j", "j")
        chosen = app.state.view.selected or ""
        await pilot.press("K", "y")
        source.forget(chosen)  # what the engine makes of it
        await beats(app, pilot)
        await pilot.press("K")
        assert len(source.controlled) == 1
        assert app.screen is app.top_screen


async def test_the_harmless_button_says_that_the_job_keeps_running() -> None:
    async with running(WatchedSource(may_control=True)) as (app, pilot):
        await pilot.press("j", "K")
        labels = [str(button.label) for button in app.screen.query(Button)]
        assert labels == ["Keep running", "End 1 job (y)"]
        assert [button.has_class("-dangerous") for button in app.screen.query(Button)] == [False, True]
        assert "esc keep running" in str(app.screen.query_one("#keys").render())


@pytest.mark.parametrize(("key", "said"), [("j", "its client sees it as failed"), ("*", "clients see them as failed")])
async def test_one_job_has_one_client(key: str, said: str) -> None:
    async with running(WatchedSource(may_control=True)) as (app, pilot):
        await pilot.press(key, "K")
        assert isinstance(app.screen, Dialog)
        assert said in " ".join(str(line.render()) for line in app.screen.query(Static))


@pytest.mark.long
async def test_what_must_be_typed_is_typed_at_once_and_a_wrong_number_does_nothing() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        await pilot.press("slash", *"=RUN", "enter", "asterisk", "K")
        number = str(len(app.state.view.targets()))
        await pilot.press("7", "enter")
        assert isinstance(app.screen, Dialog)
        assert source.controlled == []
        await pilot.press("backspace", *number, "enter")
        await pilot.pause()
        assert len(source.controlled) == 1
        assert app.screen_stack[-1] is app.top_screen


def test_numbers_are_written_as_they_must_be_typed() -> None:
    state = ConsoleState(demo(10), "demo")
    rows = [row(number, JobState.RUNNABLE) for number in range(1_606)]
    dialog = confirm_cancel(rows, state)
    assert dialog._typed == "1606"
    assert "1,606" not in " ".join((dialog._title, *cancel_lines(rows, state), *map(dialog._label, dialog._options)))


@pytest.mark.parametrize(
    ("states", "effect", "calls"),
    [
        ((JobState.RUNNING,), "tasks behind it in its job go on, or are sent again", "TerminateJob × 1 at most"),
        (
            (JobState.RUNNING, JobState.RUNNING),
            "tasks behind them in their jobs go on, or are sent again",
            "TerminateJob × 2",
        ),
        ((JobState.PENDING, JobState.PENDING), "2 will never start", "PutObject (a mark in S3) × 2 at most"),
    ],
)
def test_the_end_of_a_packed_task_tells_what_becomes_of_those_behind_it(
    states: tuple[JobState, ...], effect: str, calls: str
) -> None:
    state = ConsoleState(demo(10), "demo")
    view = manager_view(counts={JobState.RUNNING: 2, JobState.PENDING: 9})
    state.replica.snapshot = snapshot_of(view)
    text = " ".join(" ".join(cancel_lines([row(n, each) for n, each in enumerate(states)], state)).split())
    assert effect in text
    assert calls in text
    assert "CancelJob" not in text


@pytest.mark.parametrize(
    "keys", first_now([("K",), ("question_mark",), ("slash",), ("ctrl+p",), ("c",), ("q",), ("l",)], 2, tuples=True)
)
async def test_ctrl_c_leaves_from_anywhere_on_the_second_press(keys: tuple[str, ...]) -> None:
    async with running(WatchedSource(may_control=True), own=EngineOwnership(lambda: "")) as (app, pilot):
        await pilot.press("j", *keys, "ctrl+c", "ctrl+c")
        await pilot.pause()
        assert app._exit
        assert app.return_value is Quit.LEAVE


async def test_ctrl_c_twice_over_a_local_cluster_drains_it() -> None:
    async with running(WatchedSource(may_control=True), own=EngineOwnership(lambda: "", tied=True)) as (app, pilot):
        await pilot.press("ctrl+c", "ctrl+c")
        await pilot.pause()
        assert app.return_value is Quit.DRAIN


async def test_the_page_of_an_ended_job_says_that_it_has_ended() -> None:
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        app.open_job(first_of(source, JobState.SUCCEEDED).task_id)
        await pilot.pause()
        await pilot.press("K")
        assert "has ended" in said(app)
        assert "selected or marked" not in said(app)


async def test_read_only_and_out_of_reach_are_told_apart_and_a_refused_key_says_which() -> None:
    async with running(WatchedSource()) as (app, pilot):
        await pilot.press("j")
        assert "K end(ro)" in app.dashboard.key_bar.text
        await pilot.press("K")
        assert "read-only" in said(app)
    source = WatchedSource(may_control=True)
    async with running(source) as (app, pilot):
        source.lose(LinkState.LOST)
        await beats(app, pilot)
        assert "K end(off)" in app.dashboard.key_bar.text
        await pilot.press("j", "K")
        assert "out of reach" in said(app)


@pytest.mark.long
async def test_above_the_replicas_limit_mark_all_and_export_mean_all_that_fit(tmp_path: Path) -> None:
    source = WatchedSource(REPLICA_LIMIT + 6_000, may_control=True)
    fitting = sum(each.state is JobState.SUCCEEDED for each in source.rows.values())
    async with running(source, preferences=Preferences(group_by="job"), folder=tmp_path) as (app, pilot):
        await pilot.press("slash", *"=OK", "enter", "e", "asterisk")
        await beats(app, pilot, 20)
        assert app.state.view.paged
        assert len(app.state.view.targets()) == fitting > PAGE_LIMIT
    check_export(tmp_path, fitting)


@pytest.mark.parametrize(("jobs", "choice"), [(0, Quit.DRAIN), (50, Quit.TERMINATE)])
async def test_stopping_a_local_cluster_now_kills_nothing_that_is_idle(jobs: int, choice: Quit) -> None:
    own = EngineOwnership(lambda: "", tied=True)
    async with running(WatchedSource(jobs, may_control=True), own=own) as (app, pilot):
        await pilot.press("q", "S")
        await pilot.pause()
        assert app.return_value is choice


def check_export(folder: Path, jobs: int) -> None:
    [table] = folder.glob("*.csv")
    assert len(table.read_text().splitlines()) == jobs + 1


def test_leaving_uses_one_verb_for_one_act_and_offers_no_drain_of_nothing() -> None:
    for dialog in (quit_dialog("demo", busy=True), quit_local_dialog(busy=True)):
        text = " ".join((*dialog._lines, *map(dialog._label, dialog._options)))
        assert "Stop now" in text
        assert "erminate" not in text
        assert "at once" not in text
    assert not any(option.choice is Quit.DRAIN for option in quit_local_dialog(busy=False)._options)


def test_the_notes_of_a_cleanup_are_sentences() -> None:
    text = _notes(PlanReport(notes=("All is deleted.", "1 job lives: it is ended.")))
    assert text == "All is deleted. 1 job lives: it is ended."
