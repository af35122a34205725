"""The resources screen with a stand-in for `scaler-batch`: what it reads, what it asks first, what it runs and ends."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.tui.app import ConsoleApp
from console.tui.screens.resources import ResourcesScreen
from console.tui.stack.model import Provisioning
from console.tui.stack.run import RunOutcome
from console.tui.state import Quit
from tests.support.cases import first_now
from tests.support.console import fake_scaler_batch
from tests.support.console import stack_samples as samples
from tests.support.console.running_app import WatchedSource, beats, running
from tests.support.console.stack_screen import in_time, on_screen, read, toasts, until


class Stand:
    """The folder that the stand-in program works from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers("show", {"entries": [samples.ENTRY]})
        self.answers("show-live", samples.LIVE)
        self.answers("plan", samples.PROVISION)
        self.answers("destroy", samples.CLEANUP)
        for name, events in (
            ("provision", samples.PROVISIONING),
            ("cleanup", samples.CLEANING),
            ("build-image", samples.BUILDING),
        ):
            self.tells(name, events)

    @property
    def program(self) -> tuple[str, ...]:
        return sys.executable, fake_scaler_batch.__file__, str(self.folder)

    def answers(self, name: str, what: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(what))

    def tells(self, name: str, events: list[Any]) -> None:
        (self.folder / f"{name}.lines").write_text("\n".join(map(json.dumps, events)))

    def fails(self, name: str, why: str) -> None:
        (self.folder / f"fail.{name}").write_text(why)

    def holds(self, name: str) -> Path:
        """Until the file that is returned is gone."""
        file = self.folder / f"hold.{name}"
        file.touch()
        return file

    def calls(self, name: str = "") -> list[dict[str, Any]]:
        file = self.folder / "calls"
        calls = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [call for call in calls if name in ("", call["name"])]


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def at_resources(
    stand: Stand, *, may_control: bool = True
) -> AbstractAsyncContextManager[tuple[ConsoleApp, Pilot[Quit], Provisioning]]:
    return on_screen(Provisioning(stand.program), WatchedSource(may_control=may_control))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---- reading


@pytest.mark.long
async def test_it_shows_what_lives_where_it_differs_and_what_could_not_be_read(stand: Stand) -> None:
    async with at_resources(stand) as (app, pilot, known):
        screen = await read(app, pilot, known)
        table = screen.table.text
        assert "computeResources.max" in table
        assert "MISSING" in table
        assert samples.DENIED[:20] in table
        assert "1 could not be read" in table
        assert "+ create   IAM role" in screen.provision_plan.text
        assert "keep     6" in screen.provision_plan.text
        assert "Everything in the bucket" in screen.cleanup_plan.text
        commands = [call["words"] for call in stand.calls()]
        assert [words[0] for words in commands] == ["show", "show", "plan", "plan"]
        assert commands[1] == ["show", "--live", "--json", "--region", samples.REGION, "--prefix", samples.PREFIX]
        assert commands[2][commands[2].index("--max-vcpus") + 1] == "512"


async def test_a_stack_of_another_queue_is_not_taken_for_the_engines(stand: Stand) -> None:
    stand.answers("show", {"entries": [{**samples.ENTRY, "job_queue": "another"}, {**samples.ENTRY, "region": "x"}]})
    async with at_resources(stand) as (app, pilot, known):
        screen = await read(app, pilot, known)
        assert "nothing provisioned: `scaler-batch plan`" in screen.table.text
        assert [call["name"] for call in stand.calls()] == ["show"]
        await pilot.press("P", "C", "B")
        assert app.screen is app.top_screen


@pytest.mark.long
async def test_what_fails_is_told_in_its_place_and_the_rest_is_shown(stand: Stand) -> None:
    stand.fails("plan", "Traceback\nscaler-batch: no container engine is here")
    stand.answers("destroy", ["not a plan"])
    async with at_resources(stand) as (app, pilot, known):
        screen = await read(app, pilot, known)
        assert "no container engine is here" in screen.provision_plan.text
        assert "can't read" in screen.cleanup_plan.text
        assert "MISSING" in screen.table.text
        stand.fails("show-live", "scaler-batch: the credentials expired")
        await pilot.press("r")
        await until(app, pilot, lambda: len(stand.calls("destroy")) == 2 and known.reading is None)
        assert "the credentials expired" in screen.table.text
        assert "MISSING" in screen.table.text


@pytest.mark.long
async def test_credentials_of_another_account_can_change_nothing(stand: Stand) -> None:
    stand.answers("plan", {**samples.PROVISION, "account": "999999999999"})
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("P")
        assert app.screen is app.top_screen
        assert "999999999999" in toasts(app)


@pytest.mark.long
async def test_leaving_the_screen_ends_what_reads_and_coming_back_reads_anew(stand: Stand) -> None:
    hold = stand.holds("show-live")
    async with at_resources(stand) as (app, pilot, known):
        await until(app, pilot, lambda: stand.calls("show-live"))
        [call] = stand.calls("show-live")
        await pilot.press("escape")
        await until(app, pilot, lambda: not is_alive(call["pid"]))
        hold.unlink()
        await pilot.press("R", "r", "r")
        assert "MISSING" in (await read(app, pilot, known)).table.text


@pytest.mark.long
async def test_elsewhere_than_on_the_engines_machine_nothing_is_read_or_run() -> None:
    async with running(WatchedSource(may_control=True)) as (app, pilot):
        await pilot.press("colon", *"res", "enter", "P", "C", "B", "X", "d", "y", "r")
        await beats(app, pilot)
        screen = app.top_screen
        assert isinstance(screen, ResourcesScreen)
        assert "engine's own machine" in screen.table.text
        assert app.screen is app.top_screen


@pytest.mark.long
async def test_the_difference_of_a_resource_is_told_field_by_field(stand: Stand) -> None:
    async with at_resources(stand) as (app, pilot, known):
        screen = await read(app, pilot, known)
        await pilot.press("G", "k", "k", "k", "d")
        await pilot.pause()
        assert screen.table.chosen is not None
        assert screen.table.chosen.kind == "compute environment"
        assert "computeResources.maxvCpus" in screen.diff.text
        assert "- 256" in screen.diff.text
        assert "+ 512" in screen.diff.text
        await pilot.press("escape")
        assert app.top_screen is screen
        assert not screen.has_class("-diff")


@pytest.mark.long
async def test_the_arn_and_a_command_that_changes_nothing_are_copied(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.delenv("TMUX", raising=False)
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        monkeypatch.setattr(app, "copy_to_clipboard", copied.append)
        await pilot.press("y", "G", "Y")
        assert copied == [
            f"arn:aws:s3:::{samples.ENTRY['bucket']}",
            "aws ec2 describe-launch-template-versions --launch-template-name "
            f"{samples.PREFIX}-instances --region {samples.REGION}",
        ]


# ---- running


async def test_a_run_is_asked_for_goes_on_elsewhere_and_its_end_is_told(stand: Stand) -> None:
    hold = stand.holds("provision")
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("P", "enter")
        assert known.run is None
        await pilot.press("P", "y")
        await until(app, pilot, lambda: known.run is not None and len(known.run.steps) == 3)
        assert "3 of 3 steps" in app.top_screen.run_pane.text  # type: ignore[attr-defined]
        await pilot.press("C")
        assert "is under way" in toasts(app)
        await pilot.press("escape")
        hold.unlink()
        await until(app, pilot, lambda: "provision done" in toasts(app))
        await pilot.press("R")
        screen = await read(app, pilot, known)
        assert "revision 42" in screen.run_pane.text
        assert "done" in screen.run_pane.text
        assert len(stand.calls("show")) == 2
        [call] = stand.calls("provision")
        assert call["words"][:3] == ["provision", "--json", "--yes"]
        assert samples.IMAGE in call["words"]


async def test_a_cleanup_needs_the_prefix_and_tells_what_remains(stand: Stand) -> None:
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("C", "y", "enter", "tab", "enter")
        assert known.run is None
        assert app.screen is app.top_screen
        await pilot.press("C")
        words = str(app.screen.query_one("#words").render())
        assert " jobs that live are ended" in " ".join(words.split())
        await pilot.press(*samples.PREFIX, "enter")
        await until(app, pilot, lambda: known.run is not None and not known.run.running)
        assert known.run is not None
        assert known.run.outcome is RunOutcome.FAILED
        assert isinstance(app.top_screen, ResourcesScreen)
        assert "REMAINS S3 bucket" in app.top_screen.run_pane.text
        assert "aws s3 rb" in app.top_screen.run_pane.text
        assert "1 resource remains" in toasts(app)


@pytest.mark.long
async def test_a_built_image_is_what_the_next_plan_asks_for(stand: Stand) -> None:
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("B", "y")
        await until(app, pilot, lambda: len(stand.calls("plan")) == 2)
        assert samples.NEW_IMAGE in stand.calls("plan")[-1]["words"]
        assert "layer 6 of 9" in app.top_screen.run_pane.text  # type: ignore[attr-defined]
        [call] = stand.calls("build-image")
        assert "--yes" not in call["words"]


@pytest.mark.long
async def test_a_run_that_says_why_it_failed_is_quoted(stand: Stand) -> None:
    stand.tells("provision", [samples.PROVISIONING[0], {"event": "failed", "error": "AccessDenied: iam:CreateRole"}])
    stand.fails("build-image", "scaler-batch: no container engine was found")
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("P", "y")
        await until(app, pilot, lambda: known.run is not None and not known.run.running)
        assert "iam:CreateRole" in toasts(app)
        await read(app, pilot, known)
        await pilot.press("B", "y")
        await until(app, pilot, lambda: "no container engine was found" in toasts(app))


@pytest.mark.long
@pytest.mark.parametrize("way", first_now(["stop", "quit"]))
async def test_a_run_is_stopped_when_somebody_says_so_and_before_the_console_is_left(stand: Stand, way: str) -> None:
    stand.holds("provision")
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("P", "y")
        await until(app, pilot, lambda: known.run is not None and len(known.run.steps) == 3)
        [call] = stand.calls("provision")
        key = "X" if way == "stop" else "q"
        await pilot.press(key, "enter")
        assert is_alive(call["pid"])
        await pilot.press(key, "y")
        run = known.run
        assert run is not None
        await in_time(lambda: not run.running)
        assert run.outcome is RunOutcome.STOPPED
        assert not is_alive(call["pid"])
        if way == "quit":
            await pilot.pause()
            assert app._exit
        else:
            assert run.error == "stopped"


@pytest.mark.long
async def test_a_console_that_is_ended_leaves_no_run_behind(stand: Stand) -> None:
    stand.holds("provision")
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("P", "y")
        await until(app, pilot, lambda: stand.calls("provision"))
        [call] = stand.calls("provision")
    await in_time(lambda: not is_alive(call["pid"]))


async def test_a_read_only_console_reads_and_runs_nothing(stand: Stand) -> None:
    async with at_resources(stand, may_control=False) as (app, pilot, known):
        screen = await read(app, pilot, known)
        await pilot.press("P", "C", "B")
        assert app.screen is screen
        assert "P provision(ro)" in screen.key_bar.text
        assert {call["name"] for call in stand.calls()} == {"show", "show-live", "plan", "destroy"}


@pytest.mark.long
async def test_output_without_end_and_lines_that_are_no_events_do_no_harm(stand: Stand) -> None:
    flood = [samples.line(f"line {number}") for number in range(3_000)]
    stand.tells("build-image", [samples.line("x" * 2_000_000), *flood, {"event": "odd"}, samples.BUILDING[-1]])
    async with at_resources(stand) as (app, pilot, known):
        await read(app, pilot, known)
        await pilot.press("B", "y")
        await until(app, pilot, lambda: known.run is not None and not known.run.running)
        assert known.run is not None
        assert known.run.outcome is RunOutcome.DONE
        assert len(known.run.entries) == 1_000
        assert known.image == samples.NEW_IMAGE
