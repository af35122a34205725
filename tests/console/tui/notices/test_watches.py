"""Watches: told once of the first failure, once of the end, and of nothing when it isn't wanted any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from console.tui.go_to import go_to
from console.tui.notices.notifier import Notifier
from console.tui.notices.terminal_notice import RESTORE_TITLE, SAVE_TITLE, notification, window_title
from console.tui.notices.watches import PERIOD_S, Watches
from console.tui.preferences import Preferences
from engine.telemetry.client.replica import Replica
from engine.telemetry.client.source import LinkState, LinkView
from engine.telemetry.schema.messages import Answer, GetGroups, Groups, JobState, Refusal, Request
from tests.support.console.running_app import WatchedSource, beats, running


class CountingSource:
    """Source that answers `GetGroups` with the counts that a test set."""

    may_control = False

    def __init__(self) -> None:
        self.replica, self.link = Replica(), LinkView(LinkState.LIVE, 0.0)
        self.counts: dict[str, int] = {}
        self.asked: list[Request] = []

    def ask(self, request: Request, on_answer: Callable[[Answer], None]) -> None:
        self.asked.append(request)
        counts = {JobState(name): count for name, count in self.counts.items()}
        on_answer(Groups("function", (), 0, sum(counts.values()), 0.0, True, counts))

    def poll(self, timeout_s: float = 0.0) -> bool:
        return False

    def close(self) -> None: ...


class Watched:
    """Watches on one filter, what was told and what was said."""

    def __init__(self) -> None:
        self.source = CountingSource()
        self.told: list[str] = []
        self.said: list[str] = []
        self.watches = Watches(self.source, self.told.append, self.said.append)
        self.now = 0.0

    def see(self, **counts: int) -> None:
        self.source.counts = counts
        self.now += PERIOD_S
        self.watches.poll(self.now)


@pytest.fixture
def watched() -> Watched:
    found = Watched()
    found.watches.toggle("price", "fn:price", "m")
    found.see(RUNNING=3)
    return found


def test_the_end_is_told_with_its_numbers_and_ends_the_watch(watched: Watched) -> None:
    assert watched.source.asked[0] == GetGroups(filter="fn:price", manager="m")
    watched.see(RUNNING=1, SUCCEEDED=2)
    assert watched.told == []
    watched.see(SUCCEEDED=3)
    assert watched.told == ["price: 3 of 3 done"]
    assert len(watched.watches) == 0


def test_the_first_failure_is_told_once_and_the_rest_with_the_end(watched: Watched) -> None:
    watched.see(RUNNING=2, FAILED=1)
    watched.see(RUNNING=1, FAILED=2)
    watched.see(FAILED=3)
    assert watched.told == ["price: a job failed (1 of 3 done, 1 failed, 2 running)", "price: 3 of 3 done, 3 failed"]


def test_failures_from_before_are_not_told() -> None:
    watched = Watched()
    watched.watches.toggle("price", "", "")
    watched.see(RUNNING=1, FAILED=7)
    watched.see(RUNNING=1, FAILED=7)
    assert watched.told == []


def test_the_same_again_ceases(watched: Watched) -> None:
    watched.watches.toggle("price", "fn:price", "m")
    watched.see(SUCCEEDED=3)
    assert watched.told == []
    assert "not be told" in watched.said[-1]


def test_what_has_ended_is_not_watched() -> None:
    watched = Watched()
    watched.watches.toggle("price", "", "")
    watched.see(SUCCEEDED=3)
    assert (watched.told, len(watched.watches)) == ([], 0)
    assert "nothing lives" in watched.said[-1]


def test_engines_are_asked_every_two_seconds_and_no_more(watched: Watched) -> None:
    before = len(watched.source.asked)
    for _ in range(10):
        watched.watches.poll(watched.now + PERIOD_S / 2)
    assert len(watched.source.asked) == before


def test_a_refused_watch_ends_with_the_engines_words() -> None:
    watched = Watched()
    watched.source.ask = lambda request, on_answer: on_answer(Refusal("no such manager"))  # type: ignore[method-assign]
    watched.watches.toggle("price", "", "gpu")
    watched.see()
    assert watched.said == ["price: no such manager"]
    assert len(watched.watches) == 0


# ---- the terminal


def test_a_notification_is_told_in_both_dialects_and_holds_no_escape_of_a_job() -> None:
    sent = notification("f\x1b]0;x\x07;g: done", in_tmux=False)
    assert sent == "\x1b]9;f,g: done\x07\x1b]777;notify;scaler-batch;f,g: done\x07"


def test_tmux_passes_it_on() -> None:
    assert notification("x", in_tmux=True).startswith("\x1bPtmux;\x1b\x1b]9;x\x07\x1b\\")


async def test_n_watches_the_group_and_rings_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    source = WatchedSource()
    async with running(source, preferences=Preferences(group_by="function")) as (app, pilot):
        written: list[str] = []
        app.notifier._write = written.append
        await beats(app, pilot, 3)
        await pilot.press("j", "n")
        group = app.dashboard.groups.selected_item
        assert group is not None
        [request] = app.notifier.watches._watches
        assert request == GetGroups(filter=f"function=={group.key}", manager="pricing-spot")
        app.notifier.tell(f"{group.key}: 40 of 40 done")
        assert written[-1].startswith("\x07\x1b]9;")


async def test_n_watches_the_filter_when_nothing_is_selected_and_a_job_when_one_is() -> None:
    async with running(WatchedSource(), preferences=Preferences(group_by="job")) as (app, pilot):
        await pilot.press("n")
        await pilot.press("j", "n")
        everything, one = app.notifier.watches._watches
        assert everything.filter == ""
        assert one.filter == f"id:{app.state.view.selected}"


async def test_notify_watches_a_filter_by_name_and_refuses_one_that_is_wrong() -> None:
    async with running(WatchedSource(), preferences=Preferences(group_by="job")) as (app, _):
        assert go_to(app, "notify fn:price_leg") == ""
        assert [request.filter for request in app.notifier.watches._watches] == ["fn:price_leg"]
        assert "no state" in go_to(app, "notify =NONSENSE")
        assert len(app.notifier.watches) == 1


async def test_the_windows_title_tells_what_is_left_and_is_given_back() -> None:
    written: list[str] = []
    async with running(WatchedSource(), preferences=Preferences(group_by="job")) as (app, _):
        notifier = Notifier(app.state, app.dashboard.groups, written.append, written.append)
        notifier.beat()
        notifier.beat()
        notifier.close()
    assert len(written) == 2
    assert written[0].startswith(SAVE_TITLE + "\x1b]2;")
    assert "left · demo" in written[0]
    assert written[1] == RESTORE_TITLE


def test_a_title_holds_no_escape_of_a_name() -> None:
    assert window_title("a\x07b\x1b[31mc") == "\x1b]2;abc\x07"


async def test_a_notification_runs_the_users_own_command_with_its_sentence_and_no_shell(tmp_path: Path) -> None:
    fifo = tmp_path / "told"
    os.mkfifo(fifo)
    command = (sys.executable, "-c", f"import sys; open({str(fifo)!r}, 'w').write(sys.argv[-1])")
    async with running(WatchedSource(), preferences=Preferences(notify_command=command)) as (app, _):
        notifier = Notifier(app.state, app.dashboard.groups, lambda _: None, lambda _: None)
        notifier.tell("price; rm -rf x: 3 of 3 done\x1b[2J")
        assert fifo.read_text() == "price; rm -rf x: 3 of 3 done"


async def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    shown: list[str] = []
    command = (str(tmp_path / "nothing"),)
    async with running(WatchedSource(), preferences=Preferences(notify_command=command)) as (app, _):
        Notifier(app.state, app.dashboard.groups, lambda _: None, shown.append).tell("done")
    assert shown[0] == "done"
    assert "notify_command can't be started" in shown[1]
