"""Functions that are known, so that a task that waits for a slot has its name and size before its bytes are read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.pickles.function_names import read_function_name
from engine.tasks.task_record import TaskRecord, requested_shape
from engine.tasks.wishes import NO_WISH, BrokenWish, Wish, read_wish

NAMES_KEPT: Final = 10_000
"""Functions, the latest ones: about 200 bytes each."""


class KnownFunctions:
    """Names and wishes by function object id, and the tasks that wait for one's.

    Tasks of one `map` share their function's id.
    """

    def __init__(self, kept: int = NAMES_KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[bytes, _KnownFunction] = OrderedDict()
        self._nameless: dict[bytes, dict[bytes, TaskRecord]] = {}

    def meet(self, record: TaskRecord) -> None:
        """Name and size a new task, or remember it until its function is known."""
        known = self._known.get(record.task.function_id)
        if known is not None:
            known.tell(record)
        else:
            self._nameless.setdefault(record.task.function_id, {})[record.task_id] = record

    def learn(self, record: TaskRecord, pickled: bytes | memoryview) -> Iterable[TaskRecord]:
        """Name and size the task by its function, which was read; gives the others that became known by that."""
        function_id = record.task.function_id
        if function_id not in self._known:
            self._known[function_id] = _KnownFunction.read(pickled)
            if len(self._known) > self._kept:
                self._known.popitem(last=False)
        named = self._nameless.pop(function_id, {}).values()
        for each in (record, *named):
            self._known[function_id].tell(each)
        return [each for each in named if each is not record]

    def check_wish(self, record: TaskRecord) -> None:
        """Raises `BrokenWish` if the task's function, which was read, has one that nobody understands."""
        known = self._known.get(record.task.function_id)
        if known is not None and isinstance(known.wish, BrokenWish):
            raise BrokenWish(str(known.wish))

    def forget(self, record: TaskRecord) -> None:
        """The task is gone."""
        same = self._nameless.get(record.task.function_id)
        if same is not None:
            same.pop(record.task_id, None)
            if not same:
                del self._nameless[record.task.function_id]


@dataclass(frozen=True, slots=True)
class _KnownFunction:
    name: str
    wish: Wish | BrokenWish

    @classmethod
    def read(cls, pickled: bytes | memoryview) -> _KnownFunction:
        try:
            wish: Wish | BrokenWish = read_wish(pickled)
        except BrokenWish as error:
            wish = error
        return cls(read_function_name(pickled), wish)

    def tell(self, record: TaskRecord) -> None:
        record.function_name = self.name
        if isinstance(self.wish, Wish) and self.wish != NO_WISH:
            record.shape = requested_shape(record.task, self.wish)
