"""The table on a screen: what it draws, what it repaints, what the mouse does."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.events import MouseScrollDown
from textual.geometry import Region

from console.tui.drawing.glyphs import ASCII, UNICODE, Glyphs
from console.tui.drawing.spans import line_width
from console.tui.jobs.jobs_view import JobsView
from console.tui.widgets.job_table import JobTable
from console.tui.widgets.line_table import LineTable
from engine.telemetry.client.replica import Replica
from engine.telemetry.schema.messages import FullState, JobRow, JobState
from tests.support.console.widget_samples import replica_of, row, snapshot, task_id, tick


class Alone(App[None]):
    """A table and nothing else."""

    def __init__(self, replica: Replica, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.view, self.replica = JobsView(), replica
        self.table = JobTable(self.view, glyphs=glyphs)
        self.asked: list[str] = []
        self.opened = 0

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.feed()

    def feed(self) -> None:
        self.view.refresh(self.replica)
        self.table.show(age_s=1)

    def on_line_table_sort_requested(self, message: LineTable.SortRequested) -> None:
        self.asked.append(message.sort)

    def on_line_table_opened(self) -> None:
        self.opened += 1


def many(count: int = 40) -> list[JobRow]:
    return [row(number, since=number * 10.0) for number in range(count)]


def table_lines(app: Alone) -> list[str]:
    return app.table.text.splitlines()


@pytest.fixture
def painted(monkeypatch: pytest.MonkeyPatch) -> list[Region]:
    """The regions that a table asked to be painted."""
    regions: list[Region] = []
    original = JobTable.refresh

    def refresh(self: JobTable, *asked: Region, **options: bool) -> JobTable:
        regions.extend(asked or [self.size.region])
        return original(self, *asked, **options)

    monkeypatch.setattr(JobTable, "refresh", refresh)
    return regions


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60), (30, 5), (12, 3)])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
async def test_every_line_is_as_wide_as_the_table(size: tuple[int, int], glyphs: Glyphs) -> None:
    app = Alone(replica_of([*many(), row(99, JobState.FAILED, function="漢字" * 20, reason="é\u0301" * 90)]), glyphs)
    async with app.run_test(size=size):
        assert {line_width(line) for line in app.table.lines} == {size[0]}
        assert len(app.table.lines) == size[1]
        assert glyphs is UNICODE or app.table.text.isascii()


async def test_at_eighty_columns_the_important_columns_are_left() -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(80, 24)):
        head = table_lines(app)[1]
        important = ("STATE", "FUNCTION", "TASK", "ATT", "FOR", "TOOK", "REASON")
        assert [word for word in important if word not in head] == []
        assert "ROUTE" not in head


async def test_nothing_is_painted_while_nothing_changes(painted: list[Region]) -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.pause()
        painted.clear()
        app.feed()
        assert painted == []


async def test_only_what_changed_is_painted(painted: list[Region]) -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)) as pilot:
        app.view.set_sort("function")
        app.feed()
        await pilot.pause()
        painted.clear()
        tick(app.replica, [row(2, since=20.0, reason="now with a reason")], at=app.view.now)
        app.feed()
        (region,) = painted
        assert region.height == 1
        assert region.width < 100


async def test_one_step_of_the_cursor_paints_two_rows_and_the_footer(painted: list[Region]) -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)) as pilot:
        app.view.move_to(3)
        app.table.redraw()
        await pilot.pause()
        painted.clear()
        app.view.move(1)
        app.table.redraw()
        assert sorted(region.y for region in painted) == [5, 6, 19]


async def test_the_selected_row_and_the_marked_one_are_seen_without_colour() -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)):
        app.view.move_to(0)
        app.view.toggle_mark()
        app.view.move(2)
        app.table.redraw()
        lines = table_lines(app)
        assert (lines[2][1:3], lines[4][1:3]) == ("▌ ", " ▶")
        assert "1 marked · 3 of 40" in lines[-1]


async def test_a_stuck_job_has_a_sign_of_its_own() -> None:
    app = Alone(replica_of([row(1, JobState.RUNNABLE, since=601), row(2, JobState.RUNNABLE)]))
    async with app.run_test(size=(100, 20)):
        lines = table_lines(app)
        assert ("▲ RUNNABLE" in lines[2], "◔ RUNNABLE" in lines[3]) == (True, True)


async def test_a_click_selects_a_double_click_opens_and_a_head_sorts() -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.click(JobTable, offset=(10, 4))
        assert app.view.selected_index == 2
        await pilot.double_click(JobTable, offset=(10, 5))
        assert (app.view.selected_index, app.opened) == (3, 1)
        await pilot.click(JobTable, offset=(5, 1))
        assert app.asked == ["state"]


async def test_a_click_below_the_last_row_selects_nothing() -> None:
    app = Alone(replica_of(many(2)))
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.click(JobTable, offset=(10, 12))
        assert app.view.selected is None


async def test_the_wheel_moves_the_list_and_leaves_the_selection() -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)) as pilot:
        app.view.move_to(0)
        await pilot._post_mouse_events([MouseScrollDown], JobTable, offset=(5, 5))
        assert (app.view.top, app.view.selected) == (3, app.view.jobs.slice(0, 1)[0].task_id)  # type: ignore[union-attr]


async def test_the_scroll_bar_shows_where_the_screen_is() -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)):

        def bar() -> list[int]:
            return [y for y, line in enumerate(table_lines(app)) if line.endswith("┃")]

        first = bar()
        app.view.move_to(39)
        app.table.redraw()
        assert first[0] == 2
        assert bar()[-1] == 18


async def test_a_manager_has_a_column_only_when_there_are_several() -> None:
    app = Alone(replica_of([row(1), row(2, manager="gpu")]))
    async with app.run_test(size=(120, 20)):
        assert "MANAGER" not in app.table.text
        app.table.show(several_managers=True)
        assert "MANAGER" in app.table.text


async def test_an_empty_table_says_why_it_is_empty() -> None:
    app = Alone(Replica())
    async with app.run_test(size=(80, 10)):
        assert "nothing heard" in app.table.text
        assert "jobs – " in app.table.text
        app.replica.replace(FullState("engine", 0, snapshot([])), 0.0)
        app.feed()
        assert "no jobs yet" in app.table.text
        app.view.set_filter("x")
        app.table.show()
        assert "no jobs match /x" in app.table.text


async def test_stale_rows_stay_on_the_screen_and_say_so() -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)):
        app.table.show(stale=True)
        assert "STALE" in table_lines(app)[0]
        assert {role for line in app.table.lines[1:-1] for text, role in line[1:-1] if text.strip()} == {"muted"}


async def test_random_sizes_leave_the_model_as_it_was() -> None:
    app = Alone(replica_of(many()))
    async with app.run_test(size=(100, 20)) as pilot:
        app.view.move_to(17)
        app.view.toggle_mark()
        for step in range(50):
            await pilot.resize_terminal(20 + step * 37 % 160, 4 + step * 13 % 50)
            line = (app.view.selected_index or 0) - app.view.top
            assert 0 <= line < app.view.height
        assert app.view.targets() == (app.view.selected,)
        assert app.view.selected is not None
        assert app.view.selected != task_id(0)


async def test_states_that_batch_does_not_confirm_are_muted_with_ages_that_stand_still() -> None:
    app = Alone(replica_of([row(1, since=60.0)]))
    async with app.run_test(size=(120, 8)):
        assert " 1m " in table_lines(app)[2]
        app.table.show(age_s=1)
        fresh = {role for text, role in app.table.lines[2] if "RUNNING" in text}
        app.table.show(age_s=40, as_of_s=40)
        assert "states as of 40s ago" in table_lines(app)[0]
        assert " 20s " in table_lines(app)[2]
        stale = {role for text, role in app.table.lines[2] if "RUNNING" in text}
        assert (fresh, stale) == ({"running"}, {"muted"})


async def test_an_empty_table_says_what_the_engine_waits_for_and_not_to_submit_some() -> None:
    app = Alone(replica_of([]))
    async with app.run_test(size=(120, 8)):
        assert "submit some" in app.table.text
        app.table.show(wait="not connected to the scheduler yet: AWS throttles ListJobs")
        assert "AWS throttles ListJobs" in app.table.text
        assert "submit some" not in app.table.text
