"""Window title: failures, rate and what is left, for a console in another window."""

from __future__ import annotations

from console import format
from console.tui.groups.groups_view import GroupsView
from console.tui.state import ConsoleState
from console.tui.totals import sum_managers
from console.waiting import read_progress
from engine.telemetry.schema.messages import ENDED, JobState


def title_of(state: ConsoleState, groups: GroupsView) -> str:
    """Like `3 failed · 41/s · 1,240 left, 4m–7m · pricing-spot`; the forecast only beside groups of all jobs."""
    snapshot, dot = state.replica.snapshot, f" {state.glyphs.dot} "
    if snapshot is None:
        return dot.join((state.source.link.state.value.lower(), state.engine_name))
    if not state.live:
        return dot.join((state.source.link.state.value, state.engine_name))
    totals = sum_managers(snapshot, "")
    failed = totals.counts[JobState.FAILED]
    left = sum(count for job_state, count in totals.counts.items() if job_state not in ENDED)
    parts = [f"{format.count(failed)} failed"] if failed else []
    parts += [format.rate(sum(totals.rates[job_state] for job_state in ENDED))] if left else ["idle"]
    parts += [f"{format.count(left)} left{_forecast(state, groups)}"] if left else []
    return dot.join((*parts, state.engine_name))


def _forecast(state: ConsoleState, groups: GroupsView) -> str:
    answer = groups.answer
    if answer is None or answer.rows_only or state.view.manager:
        return ""
    left = read_progress(answer).left
    return f", {format.eta(left, ascii=state.glyphs.ascii)}" if left else ""
