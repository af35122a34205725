"""Functions whose names are known, so that a task that waits for a slot has its name before its bytes are read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from engine.pickles.function_names import read_function_name
from engine.tasks.task_record import TaskRecord

NAMES_KEPT: Final = 10_000
"""Functions, the latest ones: about 200 bytes each."""


class KnownFunctions:
    """Names by function object id, and the tasks that wait for one. Tasks of one `map` share their function's id."""

    def __init__(self, kept: int = NAMES_KEPT) -> None:
        self._kept = kept
        self._names: OrderedDict[bytes, str] = OrderedDict()
        self._nameless: dict[bytes, dict[bytes, TaskRecord]] = {}

    def meet(self, record: TaskRecord) -> None:
        """Name a new task, or remember it until its function's name is known."""
        name = self._names.get(record.task.function_id)
        if name is not None:
            record.function_name = name
        else:
            self._nameless.setdefault(record.task.function_id, {})[record.task_id] = record

    def learn(self, record: TaskRecord, pickled: bytes) -> Iterable[TaskRecord]:
        """Name the task by its function, which was read; gives the others that got their name by that."""
        function_id = record.task.function_id
        if function_id not in self._names:
            self._names[function_id] = read_function_name(pickled)
            if len(self._names) > self._kept:
                self._names.popitem(last=False)
        named = self._nameless.pop(function_id, {}).values()
        for each in (record, *named):
            each.function_name = self._names[function_id]
        return [each for each in named if each is not record]

    def forget(self, record: TaskRecord) -> None:
        """The task is gone."""
        same = self._nameless.get(record.task.function_id)
        if same is not None:
            same.pop(record.task_id, None)
            if not same:
                del self._nameless[record.task.function_id]
