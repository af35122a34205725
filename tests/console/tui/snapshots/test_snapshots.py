"""Every screen as a reviewed picture: normal, empty, loading, stale, lost; both sizes; every theme.

After an intended change: `pytest tests/console/tui/snapshots -m '' --snapshot-update`; review what changed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from console.tui.app import ConsoleApp
from console.tui.drawing.glyphs import ASCII
from console.tui.stack.model import Provisioning
from engine.telemetry.client.replica import Replica
from engine.telemetry.schema.messages import REPLICA_LIMIT, JobState
from tests.support.console.demo.pictures import ANSWERED, LARGE, SIZES, SMALL, Matches, Size, Then
from tests.support.console.frozen_console import (
    Look,
    connecting,
    demo,
    first_of,
    healthy,
    lost,
    own_engine,
    packed,
    paused,
    recorded,
    stale,
    troubled,
    unanswered,
)
from tests.support.console.stack_lifecycle import denied, done, drifted, loading, nothing, remaining, running

# ---- the dashboard


@pytest.mark.parametrize("size", SIZES)
def test_dashboard(same: Matches, size: Size) -> None:
    assert same(Look(demo(may_control=True)), size, ["j", "j", "space", "j"])


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_without_jobs(same: Matches, size: Size) -> None:
    assert same(Look(demo(0)), size)


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_before_anything_was_heard(same: Matches, size: Size) -> None:
    assert same(Look(connecting()), size)


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_of_a_lost_engine(same: Matches, size: Size) -> None:
    assert same(Look(lost()), size, ["j"])


def test_dashboard_with_stale_figures(same: Matches) -> None:
    assert same(Look(stale()), LARGE)


def test_dashboard_while_nothing_can_be_submitted(same: Matches) -> None:
    assert same(Look(paused()), LARGE)


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_while_the_scheduler_is_gone(same: Matches, size: Size) -> None:
    assert same(Look(troubled()), size)


@pytest.mark.parametrize("size", SIZES)
def test_the_engine_and_its_links(same: Matches, size: Size) -> None:
    assert same(Look(troubled()), size, then=lambda app: app.action_engine())


@pytest.mark.parametrize("size", SIZES)
def test_the_engine_that_is_well_with_its_budget_and_code(same: Matches, size: Size) -> None:
    assert same(Look(healthy()), size, then=lambda app: app.action_engine())


@pytest.mark.long
def test_dashboard_of_two_managers_with_more_jobs_than_a_console_keeps(same: Matches) -> None:
    assert same(Look(demo(REPLICA_LIMIT + 1, managers=("pricing-spot", "risk-gpu"))), LARGE, ["j"])


@pytest.mark.long
def test_dashboard_while_a_filter_is_typed(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["/", *"=RUN fn:price"])


@pytest.mark.long
def test_a_filter_that_fits_nothing(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["/", *"nobody", "enter"])


@pytest.mark.long
def test_a_filter_that_is_wrong(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["/", *"age>soon", "enter"])


@pytest.mark.long
def test_log_pane_zoomed(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["shift+tab", "z"])


@pytest.mark.long
def test_routing_pane_zoomed(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["tab", "z"])


@pytest.mark.long
@pytest.mark.parametrize("theme", ["light", "ansi-dark", "ansi-light"])
def test_dashboard_in_other_themes(same: Matches, theme: str) -> None:
    assert same(Look(demo(), theme=theme), LARGE, ["j", "space", "j"])


@pytest.mark.long
def test_dashboard_without_colours(same: Matches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert same(Look(demo()), LARGE, ["j", "space", "j"])


@pytest.mark.parametrize("size", SIZES)
def test_dashboard_in_plain_ascii(same: Matches, size: Size) -> None:
    assert same(Look(demo(), glyphs=ASCII), size, ["j", "space", "j"])


@pytest.mark.long
def test_too_small_a_terminal(same: Matches) -> None:
    assert same(Look(demo()), (79, 23))


@pytest.mark.long
def test_the_smallest_terminal_of_several_engines(same: Matches) -> None:
    assert same(Look(demo(), others={"night": troubled()}), (40, 10))


# ---- one job


def open_first(state: JobState) -> Then:
    def then(app: ConsoleApp) -> None:
        app.open_job(first_of(app.state.source, state).task_id)  # type: ignore[arg-type]

    return then


@pytest.mark.parametrize("size", SIZES)
def test_job_that_failed(same: Matches, size: Size) -> None:
    assert same(Look(demo(may_control=True)), size, then=open_first(JobState.FAILED))


@pytest.mark.parametrize("size", SIZES)
def test_job_of_a_pack_whose_wish_nobody_told(same: Matches, size: Size) -> None:
    assert same(Look(packed()), size, then=open_first(JobState.RUNNING))


@pytest.mark.long
def test_job_that_was_not_submitted_yet(same: Matches) -> None:
    assert same(Look(demo()), LARGE, then=open_first(JobState.QUEUED))


@pytest.mark.long
def test_job_that_nobody_knows_any_more(same: Matches) -> None:
    assert same(Look(demo()), SMALL, then=lambda app: app.open_job("f" * 32))


@pytest.mark.long
def test_job_before_it_was_read(same: Matches) -> None:
    assert same(Look(connecting()), LARGE, then=lambda app: app.open_job("f" * 32))


@pytest.mark.parametrize("size", SIZES)
def test_job_of_a_lost_engine(same: Matches, size: Size) -> None:
    assert same(Look(lost()), size, then=open_first(JobState.RUNNING))


@pytest.mark.long
def test_job_as_batch_describes_it(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["/", *"=OK", "enter", "enter", "J"])


# ---- log lines


@pytest.mark.parametrize("size", SIZES)
def test_logs_of_all_that_run(same: Matches, size: Size) -> None:
    assert same(Look(demo()), size, then=lambda app: app.open_logs(()))


def test_logs_of_one_job(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["enter", "l"])


def test_logs_while_nothing_runs(same: Matches) -> None:
    assert same(Look(demo(0)), SMALL, then=lambda app: app.open_logs(()))


@pytest.mark.long
def test_logs_before_any_came(same: Matches) -> None:
    assert same(Look(connecting()), LARGE, then=lambda app: app.open_logs(()))


@pytest.mark.long
def test_logs_of_a_lost_engine_narrowed(same: Matches) -> None:
    def lose(app: ConsoleApp) -> None:
        app.state.source.link = lost().link  # type: ignore[misc]

    assert same(Look(demo()), LARGE, ["L", "\\", *"payload", "enter"], lose)


# ---- why something waits


@pytest.mark.parametrize("size", SIZES)
def test_why_a_queue_waits(same: Matches, size: Size) -> None:
    assert same(Look(demo(may_control=True)), size, ["w"])


@pytest.mark.parametrize("size", SIZES)
def test_why_nothing_is_stuck(same: Matches, size: Size) -> None:
    assert same(Look(demo(0)), size, ["w"])


@pytest.mark.parametrize("size", SIZES)
def test_why_before_aws_answered(same: Matches, size: Size) -> None:
    assert same(Look(unanswered()), size, ["w"])


@pytest.mark.parametrize("size", SIZES)
def test_why_of_a_task_that_nobody_knows(same: Matches, size: Size) -> None:
    assert same(Look(demo()), size, then=lambda app: app.open_why("f" * 32))


@pytest.mark.parametrize("size", SIZES)
def test_why_in_plain_ascii(same: Matches, size: Size) -> None:
    assert same(Look(demo(), glyphs=ASCII), size, ["j", "w", ANSWERED, "tab", "j"])


@pytest.mark.long
def test_why_of_a_lost_engine(same: Matches) -> None:
    def lose(app: ConsoleApp) -> None:
        app.state.source.link = lost().link  # type: ignore[misc]

    assert same(Look(demo()), LARGE, ["w", ANSWERED, "."], lose)


@pytest.mark.long
def test_why_before_anything_was_heard(same: Matches) -> None:
    assert same(Look(connecting()), SMALL, ["w"])


@pytest.mark.long
def test_why_with_the_checks_alone(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["w", ANSWERED, "z"])


@pytest.mark.long
def test_why_has_keys_that_help_tells(same: Matches) -> None:
    assert same(Look(demo()), LARGE, ["w", ANSWERED, "?"])


# ---- over a screen


@pytest.mark.parametrize("size", SIZES)
def test_help(same: Matches, size: Size) -> None:
    assert same(Look(demo()), size, ["?"])


@pytest.mark.long
def test_help_of_log_lines(same: Matches) -> None:
    assert same(Look(demo()), LARGE, ["L", "?"])


@pytest.mark.long
def test_ending_one_job(same: Matches) -> None:
    assert same(Look(demo(may_control=True)), SMALL, ["/", *"=RUN", "enter", "j", "K"])


@pytest.mark.parametrize("size", SIZES)
def test_ending_many_jobs(same: Matches, size: Size) -> None:
    assert same(Look(demo(may_control=True)), size, ["/", *"!=QUE", "enter", "*", "K"])


def test_draining(same: Matches) -> None:
    assert same(Look(demo(may_control=True)), SMALL, then=lambda app: app.control.drain())


@pytest.mark.long
def test_leaving_an_engine_that_can_live_on(same: Matches) -> None:
    assert same(Look(demo(may_control=True), own=own_engine()), SMALL, ["q"])


@pytest.mark.long
def test_leaving_a_local_cluster(same: Matches) -> None:
    assert same(Look(demo(may_control=True), own=own_engine(tied=True)), LARGE, ["q"])


@pytest.mark.long
def test_choosing_columns(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["c", "j", "space"])


def test_palette(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["ctrl+p"])


# ---- a recording


@pytest.mark.parametrize("size", SIZES)
def test_replay(same: Matches, size: Size, tmp_path: Path) -> None:
    assert same(recorded(tmp_path), size, ["j"])


@pytest.mark.long
def test_replay_of_nothing(same: Matches) -> None:
    source = demo(0)
    source.replica = Replica()
    assert same(Look(source), SMALL)


# ---- AWS resources

STACKS = {"list": drifted, "running": running, "done": done}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("size", SIZES)
def test_resources(same: Matches, size: Size, stack: str) -> None:
    look = Look(demo(may_control=True), provisioning=STACKS[stack]())
    assert same(look, size, ["R", ANSWERED, "G", "k", "k", "k"])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("stack", [nothing, loading, denied, remaining])
def test_resources_with_nothing_to_list_or_something_wrong(
    same: Matches, size: Size, stack: Callable[[], Provisioning]
) -> None:
    assert same(Look(demo(), provisioning=stack()), size, ["R"])


@pytest.mark.long
def test_resources_elsewhere(same: Matches) -> None:
    assert same(Look(demo()), SMALL, ["R"])


@pytest.mark.long
def test_resources_in_plain_ascii(same: Matches) -> None:
    assert same(Look(demo(), glyphs=ASCII, provisioning=running()), LARGE, ["R"])


@pytest.mark.parametrize("size", SIZES)
def test_difference_of_a_resource(same: Matches, size: Size) -> None:
    assert same(Look(demo(), provisioning=drifted()), size, ["R", ANSWERED, "G", "k", "k", "k", "d"])


@pytest.mark.long
@pytest.mark.parametrize("key", ["P", "C", "B"])
def test_before_resources_are_changed(same: Matches, key: str) -> None:
    assert same(Look(demo(may_control=True), provisioning=drifted()), SMALL, ["R", ANSWERED, key])


@pytest.mark.long
def test_leaving_while_resources_are_changed(same: Matches) -> None:
    assert same(Look(demo(may_control=True), own=own_engine(), provisioning=running()), SMALL, ["R", ANSWERED, "q"])
