"""The stack's AWS resources: what lives, where it differs, what provision and cleanup would do, and the last run.

Only on the engine's own machine; elsewhere it says so.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.worker import WorkType

from console import format
from console.tui.actions import ActionScope
from console.tui.drawing.spans import EMPTY, Line, clean, plain
from console.tui.keymap import bindings
from console.tui.screens.stack_actions import ELSEWHERE, StackActions
from console.tui.stack.model import NOTHING, Part, Provisioning
from console.tui.stack.resource_lines import OUTCOMES, diff_lines, folded, plan_lines, run_lines
from console.tui.stack.run import Run, RunOutcome
from console.tui.stack.schema import ChangeReport, PlanReport, ResourceReport
from console.tui.state import ConsoleState
from console.tui.widgets.resource_table import ResourceHealth, ResourceTable, health
from console.tui.widgets.text_pane import TextPane


class RunPane(TextPane):
    """The newest lines are seen until somebody scrolls."""

    AT_END = True


class ResourcesScreen(StackActions):
    """Starts a reading when it is opened and after a run; a run belongs to the app, and goes on without it."""

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
        yield self.table
        with Horizontal(id="plans"):
            yield self.provision_plan
            yield self.cleanup_plan
        yield self.diff
        yield self.run_pane

    def trail(self) -> tuple[str, ...]:
        known = self.provisioning
        return ("resources", known.entry.prefix) if known and known.entry else ("resources",)

    # ---- reading

    def beat(self, changed: bool) -> None:
        super().beat(changed)
        known = self.provisioning
        if known is None or self.state.frozen_at is not None:
            return
        if known.outdated and known.reading is None and self.state.managers:
            self.read_now()
        news = (known.version, int(self.state.time_of_day()))
        if news != self._shown:
            self._shown = news
            self.show()

    def read_now(self) -> None:
        """A reading under way is given up for a new one."""
        if self.provisioning is not None:
            read: WorkType[None] = partial(self.provisioning.read, self.state.shown_managers)
            self.run_worker(read, group="reading", exclusive=True)

    # ---- what is shown

    def show(self) -> None:
        known = self.provisioning
        if known is None:
            self._show_elsewhere()
            return
        self.table.show(
            known.resources,
            title=self._title(known),
            status=self._status(known),
            empty=self._empty(known),
            stale=Part.LIVE in known.errors and known.live is not None,
        )
        self._show_plan(self.provision_plan, Part.PROVISION, known.provision)
        self._show_plan(self.cleanup_plan, Part.CLEANUP, known.cleanup)
        self._show_diff(known)
        self._show_run(known.run)

    def _show_elsewhere(self) -> None:
        words = folded(ELSEWHERE, self.table.inner_width - 2, "muted", "", " ")
        self.table.show((), title=(("resources", "title"),), status=EMPTY, empty=words, stale=False)
        for pane, title in ((self.provision_plan, "plan: provision"), (self.cleanup_plan, "plan: cleanup")):
            pane.show([], title=title)
        self._show_run(None)

    def _title(self, known: Provisioning) -> Line:
        if known.entry is None:
            return (("resources", "title"),)
        dot = f" {self.state.glyphs.dot} "
        where = "" if self.has_class("-narrow") else dot.join(("", known.entry.account, known.entry.region))
        half = dot + "not complete" if not known.entry.complete else ""
        return (
            (f"resources of {clean(known.entry.prefix)}", "title"),
            (clean(where), "muted"),
            (half, "warning"),
        )

    def _status(self, known: Provisioning) -> Line:
        if known.reading is not None:
            return ((f"reading {known.reading.value}{self.state.glyphs.ellipsis}", "accent"),)
        if (why := known.errors.get(Part.LIVE)) and known.live:
            return ((clean(why), "error"),)
        unread = sum(health(each) is ResourceHealth.UNKNOWN for each in known.resources)
        missed: Line = ((f"{unread} could not be read  ", "warning"),) if unread else EMPTY
        at = known.live.read_at if known.live else known.read_at
        age = ((f"read {format.age(self.state.time_of_day() - at)} ago", "muted"),) if at is not None else EMPTY
        return (*missed, *age)

    def _empty(self, known: Provisioning) -> list[Line]:
        why = known.errors.get(Part.SAVED) or known.errors.get(Part.LIVE)
        if why:
            return folded(why, self.table.inner_width - 2, "error", "", " ")
        if known.read_at is None or known.entry is not None:
            words = f"reading{self.state.glyphs.ellipsis}" if self.state.managers else "the engine has said nothing yet"
            return folded(words, self.table.inner_width - 2, "muted", "", " ")
        queues = ", ".join(f"{each.queue} in {each.region}" for each in self.state.shown_managers)
        words = f"looked for: the saved stack of the job queue {queues}, in this folder"
        return [((f" {NOTHING}", "text"),), EMPTY, *folded(words, self.table.inner_width - 2, "muted", "", " ")]

    def _show_plan(self, pane: TextPane, part: Part, plan: PlanReport | None) -> None:
        known = self.provisioning
        assert known is not None
        cells, why = pane.inner_width, known.errors.get(part)
        lines = folded(why, cells - 2, "error", "", " ") if why else []
        if plan is not None:
            drawn = plan_lines(plan, cells, self.state.glyphs)
            lines += [((plain(line), "muted"),) for line in drawn] if why else drawn
        elif known.entry is not None and not why:
            lines = [((f" reading{self.state.glyphs.ellipsis}", "muted"),)]
        name = "provision" if part is Part.PROVISION else "cleanup"
        pane.show(lines, title=f"plan (dry run): {name}")

    def _show_diff(self, known: Provisioning) -> None:
        resource = self.table.chosen
        if resource is None or not self.has_class("-diff"):
            return
        lines = diff_lines(resource, _planned(known.provision, resource), self.diff.inner_width)
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
        focused = self.focused
        if isinstance(focused, TextPane):
            half = max(1, focused.inner_height // 2)
            focused.scroll_lines(_steps(half).get(how, 0))
        else:
            self.table.move(_steps(max(1, self.table.inner_height // 2)).get(how, 0))

    def step_back(self) -> bool:
        if not self.has_class("-diff"):
            return False
        self.remove_class("-diff")
        self.table.focus()
        return True

    # ---- actions

    def action_diff(self) -> None:
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
