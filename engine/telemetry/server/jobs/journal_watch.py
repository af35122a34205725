"""Watch over worker managers: what is different from before becomes events of the journal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.jobs.journal import Journal
from engine.telemetry.schema.events import EventKind
from engine.telemetry.schema.groups import GroupBy
from engine.telemetry.schema.state import JobState
from engine.telemetry.server.snapshot_builder import Manager

LOOK_S: Final = 1.0
RARE_LOOK_S: Final = 5.0
"""Between two looks at what costs more to read: calls and reasons."""
THROTTLING_OVER_S: Final = 30.0
MOST_REASONS: Final = 20
"""Reasons for waiting that are followed at once."""


class JournalWatch:
    """Watch over one manager. `look` is called often; it reads AWS never, and the manager once a second."""

    def __init__(self, manager: Manager, journal: Journal) -> None:
        self._manager, self._journal = manager, journal
        self._name = manager.config.worker_manager_id
        self._looked_at = self._rarely_looked_at = float("-inf")
        self._links: dict[str, bool] = {}
        self._known_up: set[str] = set()
        """Links that were up before: one that comes up at the start doesn't come back."""
        self._paused = ""
        self._draining = self._is_spent = False
        self._throttles: dict[str, int] = {}
        self._throttled_at: dict[str, float] = {}
        self._reasons: frozenset[str] = frozenset()
        self._adopted = 0

    def look(self, now: float) -> None:
        """Note what is different. `now`: seconds since the epoch."""
        self._manager.registry.news.take_into(self._journal, self._name)
        if not 0 <= now - self._looked_at < LOOK_S:
            self._looked_at = now
            self._look_at_links()
            self._look_at_state()
            self._look_at_adopted()
        if not 0 <= now - self._rarely_looked_at < RARE_LOOK_S:
            self._rarely_looked_at = now
            self._look_at_calls(now)
            self._look_at_reasons()

    def _add(self, kind: EventKind, text: str) -> None:
        self._journal.add(kind, text, self._name)

    def _look_at_links(self) -> None:
        for link in self._manager.links():
            was = self._links.get(link.name)
            self._links[link.name] = link.up
            detail = f": {link.detail}" if link.detail else ""
            if link.up and was is False:
                again = " again" if link.name in self._known_up else ""
                self._add(EventKind.LINK_UP, f"{link.name} is up{again}{detail}")
            elif not link.up and was:
                self._add(EventKind.LINK_DOWN, f"{link.name} is down{detail}")
            if link.up:
                self._known_up.add(link.name)

    def _look_at_state(self) -> None:
        paused, draining = self._manager.tasks.paused, self._manager.is_stopping
        if paused and not self._paused:
            self._add(EventKind.PAUSED, paused)
        elif self._paused and not paused:
            self._add(EventKind.RESUMED, "jobs can be submitted again")
        if draining and not self._draining:
            self._add(EventKind.DRAINING, f"its end was requested, {self._manager.tasks.slots_used} tasks in flight")
        self._paused, self._draining = paused, draining
        self._look_at_budget()

    def _look_at_budget(self) -> None:
        budget = self._manager.budget
        is_spent = budget is not None and budget.is_spent
        if budget is not None and is_spent and not self._is_spent:
            self._add(EventKind.PAUSED, f"the budget of {budget.budget.describe()} is spent")
        elif self._is_spent and not is_spent:
            self._add(EventKind.RESUMED, "the budget lets jobs be submitted again")
        self._is_spent = is_spent

    def _look_at_adopted(self) -> None:
        adopted = self._manager.registry.adopted
        if adopted > self._adopted:
            self._add(EventKind.TAKEOVER, f"{adopted - self._adopted} tasks of a predecessor were adopted")
        self._adopted = adopted

    def _look_at_calls(self, now: float) -> None:
        for call in self._manager.introspection.calls():
            before = self._throttles.get(call.api, 0)
            self._throttles[call.api] = call.throttles
            if call.throttles > before:
                if call.api not in self._throttled_at:
                    self._add(EventKind.THROTTLED, f"AWS throttles {call.api}")
                self._throttled_at[call.api] = now
            elif now - self._throttled_at.get(call.api, now) >= THROTTLING_OVER_S:
                del self._throttled_at[call.api]
                self._add(EventKind.UNTHROTTLED, f"AWS has not throttled {call.api} for {THROTTLING_OVER_S:.0f} s")

    def _look_at_reasons(self) -> None:
        groups = self._manager.registry.groups.all(GroupBy.REASON)
        present = (group.key for group in groups if group.key and group.counts.get(JobState.RUNNABLE))
        reasons = frozenset(_first(present, MOST_REASONS))
        for reason in sorted(reasons - self._reasons):
            self._add(EventKind.CAPACITY, reason)
        for reason in sorted(self._reasons - reasons):
            self._add(EventKind.CAPACITY_OVER, f"no job waits any more for: {reason}")
        self._reasons = reasons


def _first(items: Iterable[str], count: int) -> Iterable[str]:
    return (item for item, _ in zip(items, range(count), strict=False))
