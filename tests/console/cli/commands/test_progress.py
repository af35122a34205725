"""`scaler-batch progress`: what its bars show, when it ends and with which exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from console.cli.commands import progress
from console.cli.commands.progress import BARS, Bars, Display, JsonLines, draw_bars
from console.cli.commands.wait import EXIT_CODES, Wanted, wait_for
from engine.telemetry.schema.messages import GetGroups, GroupBy, Groups, JobGroup, JobState

SIGNS = "#x=."


def groups(by: GroupBy, found: dict[str, dict[JobState, int]]) -> Groups:
    rows = tuple(JobGroup(key, "wm", counts) for key, counts in found.items())
    counts: dict[JobState, int] = {}
    for row in rows:
        counts = {state: counts.get(state, 0) + row.counts.get(state, 0) for state in counts | row.counts}
    return Groups(by.value, rows, len(rows), sum(counts.values()), 0.0, False, counts)


def lines(functions: dict[str, dict[JobState, int]], clients: dict[str, dict[JobState, int]]) -> list[str]:
    return draw_bars(groups(GroupBy.FUNCTION, functions), groups(GroupBy.CLIENT, clients), SIGNS)


def one(**counts: int) -> dict[JobState, int]:
    return {JobState[name]: count for name, count in counts.items()}


def test_a_bar_shows_what_is_done_failed_running_and_waiting() -> None:
    [bar, total] = lines({"price": one(SUCCEEDED=10, FAILED=4, CANCELLED=1, RUNNING=5, RUNNABLE=10)}, {})
    assert bar.split() == ["price", "#" * 10 + "x" * 5 + "=" * 5 + "." * 10, "15/30,", "4", "failed"]
    assert total.startswith("15 of 30 done")


@pytest.mark.parametrize(("left", "is_full"), [(0, True), (1, False)])
def test_a_bar_is_full_only_when_nothing_is_left(left: int, is_full: bool) -> None:
    [bar, _] = lines({"f": one(SUCCEEDED=100_000, RUNNABLE=left)}, {})
    assert ("#" * progress.BAR_CELLS in bar) is is_full


def test_clients_have_bars_when_there_are_several() -> None:
    done = one(SUCCEEDED=1)
    assert len(lines({"f": done}, {"a": done})) == 2
    assert [line.split()[0] for line in lines({"f": done}, {"a": done, "b": done})] == ["f", "a", "b", "1"]


def test_of_many_functions_those_with_the_most_to_do_are_shown() -> None:
    shown = lines({f"f{n:02}": one(RUNNING=n) for n in range(BARS + 3)}, {})
    assert [line.split()[0] for line in shown[:BARS]] == [f"f{n:02}" for n in range(3, BARS + 3)]
    assert shown[BARS] == "and 3 more"


def test_a_hostile_name_moves_no_cursor() -> None:
    assert all(line.isprintable() for line in lines({"\x1b[2Jf": one(RUNNING=1)}, {}))


class Engine:
    """Answers with one picture after another; the last one stays."""

    def __init__(self, *pictures: dict[JobState, int]) -> None:
        self.pictures, self.asked, self.now = list(pictures), list[GetGroups](), 0.0

    def call(self, request: GetGroups) -> Groups:
        self.asked.append(request)
        picture = self.pictures[min((len(self.asked) - 1) // 2, len(self.pictures) - 1)]
        return groups(GroupBy(request.by), {"f": picture} if picture else {})

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def watch(engine: Engine, display: Display, wanted: Wanted = Wanted()) -> int:  # noqa: B008
    anything: Any = engine
    waited = wait_for(
        anything, wanted, report=lambda _: None, look=display.look, clock=lambda: engine.now, sleep=engine.sleep
    )
    display.end()
    return EXIT_CODES[waited.ending]


PICTURES: tuple[dict[JobState, int], ...] = ({}, one(RUNNING=2), one(SUCCEEDED=1, RUNNING=1), one(SUCCEEDED=2))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: (Engine(*PICTURES), Wanted()), 0),
        (lambda: (Engine(one(SUCCEEDED=1, FAILED=1)), Wanted()), 3),
        (lambda: (Engine(one(RUNNING=1)), Wanted(timeout_s=10.0)), 4),
        (lambda: (Engine(one(SUCCEEDED=1)), Wanted(timeout_s=10.0, follow=True)), 4),
    ],
    ids=["done", "one failed", "time over", "followed"],
)
def test_it_ends_as_wait_does_and_goes_on_when_it_follows(
    make: Callable[[], tuple[Engine, Wanted]], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    engine, wanted = make()
    assert watch(engine, Bars(SIGNS, is_rewritten=False), wanted) == code
    assert capsys.readouterr().out.count(" done") <= 1  # no terminal: only how it ended


def test_a_terminal_sees_each_picture_over_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    watch(Engine(one(RUNNING=1), one(SUCCEEDED=1)), Bars(SIGNS, is_rewritten=True))
    first, second = capsys.readouterr().out.split(progress.CLEAR_BELOW)[1:]
    assert first.endswith(f"{progress.UP.format(2)}\r")
    assert "1 of 1 done" in second


def test_programs_get_one_object_a_look(capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(one(RUNNING=2), one(SUCCEEDED=2))
    watch(engine, JsonLines(), Wanted("client:desk", "wm"))
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["living"], last["succeeded"], last["functions"][0]["key"]) == (2, 2, "f")
    assert {(asked.by, asked.filter, asked.manager) for asked in engine.asked} == {
        ("function", "client:desk", "wm"),
        ("client", "client:desk", "wm"),
    }
