"""Screen of the stack's AWS resources: what lives, where it differs, what commands would do, and the last run.

Only on the engine's own machine; elsewhere it says so.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.worker import WorkType

from console import format
from console.foreign_text import clean
from console.tui.actions import ActionScope
from console.tui.drawing.spans import EMPTY, Line, plain
from console.tui.keymap import bindings
from console.tui.screens.stack_actions import ELSEWHERE, StackActions
from console.tui.stack.model import NOTHING, Part, Provisioning
from console.tui.stack.resource_lines import OUTCOMES, diff_lines, folded, plan_lines, run_lines
from console.tui.stack.run import Run, RunOutcome
from console.tui.state import ConsoleState
from console.tui.widgets.resource_table import ResourceHealth, ResourceTable, health
from console.tui.widgets.text_pane import TextPane
from provisioner.json_schema import ChangeReport, PlanReport, ResourceReport


class RunPane(TextPane):
    """Pane of a run; the newest lines are seen until the viewer scrolls."""

    AT_END = True


class ResourcesScreen(StackActions):
    """Screen of resources, with the plans of provision and cleanup and the last run.

    It reads when it is opened and after a run; a run belongs to the app, and goes on without it.
    """

    scope = ActionScope.RESOURCES
    BINDINGS: ClassVar = bindings(ActionScope.RESOURCES)
    AUTO_FOCUS = "#resources"

    def __init__(self, state: ConsoleState) -> None:
        super().__init__(state)
        glyphs = state.glyphs
        self.table = ResourceTable(glyphs=glyphs, id="resources")
        self.provision_plan = TextPane(glyphs=glyphs, id="provision-plan")
        self.cleanup_plan = TextPane(glyphs=glyphs, id="cleanup-plan")
        self.diff = TextPane(glyphs=glyphs, id="diff")
        self.run_pane = RunPane(glyphs=glyphs, id="run")
        self._shown: tuple[int, int] = (-1, 0)

    def panes(self) -> ComposeResult:
        """Panes of the screen: table, plans, difference and run."""
        yield self.table
        with Horizontal(id="plans"):
            yield self.provision_plan
            yield self.cleanup_plan
        yield self.diff
        yield self.run_pane

    def trail(self) -> tuple[str, ...]:
        """Path to the screen, with the stack's prefix."""
        model = self.provisioning
        return ("resources", model.entry.prefix) if model and model.entry else ("resources",)

    # ---- reading

    def beat(self, changed: bool) -> None:
        """Read when something changed, and show what is new; called at every beat of the console."""
        super().beat(changed)
        model = self.provisioning
        if model is None or self.state.frozen_at is not None:
            return
        if model.outdated and model.reading is None and self.state.managers:
            self.read_now()
        news = (model.version, int(self.state.time_of_day()))
        if news != self._shown:
            self._shown = news
            self.show()

    def read_now(self) -> None:
        """Read the stack; a reading under way is given up."""
        if self.provisioning is not None:
            read: WorkType[None] = partial(self.provisioning.read, self.state.shown_managers)
            self.run_worker(read, group="reading", exclusive=True)

    # ---- what is shown

    def show(self) -> None:
        """Show the state of the model in every pane."""
        model = self.provisioning
        if model is None:
            self._show_elsewhere()
            return
        self.table.show(
            model.resources,
            title=self._title(model),
            status=self._status(model),
            empty=self._empty(model),
            stale=Part.LIVE in model.errors and model.live is not None,
        )
        self._show_plan(self.provision_plan, Part.PROVISION, model.provision)
        self._show_plan(self.cleanup_plan, Part.CLEANUP, model.cleanup)
        self._show_diff(model)
        self._show_run(model.run)

    def _show_elsewhere(self) -> None:
        words = folded(ELSEWHERE, self.table.inner_width - 2, "muted", "", " ")
        self.table.show((), title=(("resources", "title"),), status=EMPTY, empty=words, stale=False)
        for pane, title in ((self.provision_plan, "plan: provision"), (self.cleanup_plan, "plan: cleanup")):
            pane.show([], title=title)
        self._show_run(None)

    def _title(self, model: Provisioning) -> Line:
        if model.entry is None:
            return (("resources", "title"),)
        dot = f" {self.state.glyphs.dot} "
        where = "" if self.has_class("-narrow") else dot.join(("", model.entry.account, model.entry.region))
        half = dot + "not complete" if not model.entry.complete else ""
        return (
            (f"resources of {clean(model.entry.prefix)}", "title"),
            (clean(where), "muted"),
            (half, "warning"),
        )

    def _status(self, model: Provisioning) -> Line:
        if model.reading is not None:
            return ((f"reading {model.reading.value}{self.state.glyphs.ellipsis}", "accent"),)
        if (why := model.errors.get(Part.LIVE)) and model.live:
            return ((clean(why), "error"),)
        unread = sum(health(each) is ResourceHealth.UNKNOWN for each in model.resources)
        missed: Line = ((f"{unread} could not be read  ", "warning"),) if unread else EMPTY
        at = model.live.read_at if model.live else model.read_at
        age = ((f"read {format.age(self.state.time_of_day() - at)} ago", "muted"),) if at is not None else EMPTY
        return (*missed, *age)

    def _empty(self, model: Provisioning) -> list[Line]:
        why = model.errors.get(Part.SAVED) or model.errors.get(Part.LIVE)
        if why:
            return folded(why, self.table.inner_width - 2, "error", "", " ")
        if model.read_at is None or model.entry is not None:
            words = f"reading{self.state.glyphs.ellipsis}" if self.state.managers else "the engine has said nothing yet"
            return folded(words, self.table.inner_width - 2, "muted", "", " ")
        queues = ", ".join(f"{each.queue} in {each.region}" for each in self.state.shown_managers)
        words = f"looked for: the saved stack of the job queue {queues}, in this folder"
        return [((f" {NOTHING}", "text"),), EMPTY, *folded(words, self.table.inner_width - 2, "muted", "", " ")]

    def _show_plan(self, pane: TextPane, part: Part, plan: PlanReport | None) -> None:
        model = self.provisioning
        assert model is not None
        cells, why = pane.inner_width, model.errors.get(part)
        lines = folded(why, cells - 2, "error", "", " ") if why else []
        if plan is not None:
            drawn = plan_lines(plan, cells, self.state.glyphs)
            lines += [((plain(line), "muted"),) for line in drawn] if why else drawn
        elif model.entry is not None and not why:
            lines = [((f" reading{self.state.glyphs.ellipsis}", "muted"),)]
        name = "provision" if part is Part.PROVISION else "cleanup"
        pane.show(lines, title=f"plan (dry run): {name}")

    def _show_diff(self, model: Provisioning) -> None:
        resource = self.table.chosen
        if resource is None or not self.has_class("-diff"):
            return
        lines = diff_lines(resource, _planned(model.provision, resource), self.diff.inner_width)
        self.diff.show(lines, title=clean(f"{resource.kind} {resource.name}"), status=(("esc closes", "muted"),))

    def _show_run(self, run: Run | None) -> None:
        if run is None:
            words = "no run of provision, cleanup or build-image from this console yet"
            self.run_pane.show(folded(words, self.run_pane.inner_width - 2, "muted", "", " "), title="last run")
            return
        now = self.state.time_of_day()
        lines = run_lines(run, now, self.run_pane.inner_width, self.state.glyphs)
        self.run_pane.show(lines, title=run.name, status=_run_status(run, now))

    # ---- moving

    def move(self, how: str) -> None:
        """Move in the pane that has the focus."""
        focused = self.focused
        if isinstance(focused, TextPane):
            half = max(1, focused.inner_height // 2)
            focused.scroll_lines(_steps(half).get(how, 0))
        else:
            self.table.move(_steps(max(1, self.table.inner_height // 2)).get(how, 0))

    def step_back(self) -> bool:
        """Close the difference; False when none is open."""
        if not self.has_class("-diff"):
            return False
        self.remove_class("-diff")
        self.table.focus()
        return True

    # ---- actions

    def action_diff(self) -> None:
        """Open or close the selected resource's difference."""
        if self.step_back():
            return
        if self.table.chosen is None:
            self.notify("no resource is selected")
            return
        self.add_class("-diff")
        self.call_after_refresh(self.show)


def _steps(half: int) -> dict[str, int]:
    return {"down": 1, "up": -1, "page_down": half, "page_up": -half, "top": -100_000, "bottom": 100_000}


def _planned(plan: PlanReport | None, resource: ResourceReport) -> ChangeReport | None:
    changes = plan.changes if plan else ()
    return next((each for each in changes if (each.kind, each.name) == (resource.kind, resource.name)), None)


def _run_status(run: Run, now: float) -> Line:
    ended = now if run.ended is None else run.ended
    done = sum(not step.under_way for step in run.steps)
    of = f" of {len(run.plan.to_do)}" if run.plan else ""
    steps = f"{done}{of} step{'s' if of or done != 1 else ''}  " if run.steps or of else ""
    word = "stopping" if run.stopping and run.running else run.outcome.value
    role = OUTCOMES[RunOutcome.STOPPED if run.stopping and run.running else run.outcome]
    when = "" if run.running else f" at {format.clock(run.ended)}"
    return (steps, "muted"), (f"{word}{when}", role), (f"  {format.span(ended - run.began)}", "muted")
