"""View of the groups: grouping, order, selection, and the part on screen. Knows nothing of a terminal."""

from __future__ import annotations

from console.tui.lists.list_view import ListView
from engine.telemetry.schema.messages import GROUP_SORTS, GetGroups, GroupBy, Groups, JobGroup


class GroupsView(ListView[JobGroup]):
    """Choice of groups that the user sees. The selection is a manager and a key."""

    def __init__(self) -> None:
        super().__init__(lambda group: (group.manager, group.key))
        self.by: GroupBy | None = None
        """None: jobs are listed one by one."""
        self.sort = "urgency"
        self.descending = False
        self.answer: Groups | None = None
        """None: nothing was answered yet."""

    def request(self, filter: str, manager: str) -> GetGroups | None:
        """Request for the groups of the jobs that fit; None while jobs are listed one by one."""
        if self.by is None:
            return None
        return GetGroups(self.by.value, filter, self.sort, self.descending, manager)

    def choose(self, by: GroupBy | None) -> None:
        """Group by something else."""
        self.by, self.answer, self.items, self.selected, self.top = by, None, (), None, 0

    def set_sort(self, name: str) -> None:
        """Order by `name`; the same again reverses the order."""
        self.descending = name == self.sort and not self.descending
        self.sort = name

    def next_sort(self) -> None:
        """Switch to the next order."""
        names = list(GROUP_SORTS)
        self.sort, self.descending = names[(names.index(self.sort) + 1) % len(names)], False

    def take_answer(self, answer: Groups) -> None:
        """Take in an answer."""
        self.answer = answer
        self.take(answer.groups)
