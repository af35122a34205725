"""Call in a thread of its lane: measured, and checked against the lease right before its request is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.aws.budget import Clock

T = TypeVar("T")


def always() -> bool:
    """Permission of a call that needs no lease."""
    return True


class NotSent(Exception):
    """The lease was lost while a guarded call waited for a thread, for credentials or for its signature."""


class ThreadCalls(threading.local):
    """The call that this thread makes."""

    may_send: Callable[[], bool] = staticmethod(always)

    def check(self) -> None:
        """Raise `NotSent` when the call may not be sent any more."""
        if not self.may_send():
            raise NotSent


@dataclass(slots=True, eq=False)
class ThreadCall(Generic[T]):
    """Call in its thread: measured without the wait for one, and checked at its beginning and before it is sent."""

    work: Callable[[], T]
    calls: ThreadCalls
    may_send: Callable[[], bool]
    clock: Clock
    seconds: float = 0.0

    def __call__(self) -> T:
        self.calls.may_send = self.may_send
        self.calls.check()
        begin = self.clock()
        try:
            return self.work()
        finally:
            self.seconds = self.clock() - begin
            self.calls.may_send = always
