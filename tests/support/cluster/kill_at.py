"""The engine as it is, but hit by SIGKILL at one point: `python -P kill_at.py POINT --settings JSON`.

Nothing is stood in for: one method is wrapped, and the process kills itself right before or after one of its calls.
"""

from __future__ import annotations

import functools
import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from engine.aws.calls.operations import DELETE_OBJECTS, Operation
from engine.aws.client import AwsClient
from engine.backends.batch.submit.launcher import Launcher
from engine.backends.batch.takeover.adoption import Adoption
from engine.backends.batch.takeover.lease import Lease
from engine.backends.batch.track.job_ender import JobEnder
from engine.heartbeat import HeartbeatManager
from engine.scaler_link import WorkerChannel
from engine.tasks.deliveries import Deliveries
from engine.tasks.task_loader import TaskLoader

Counts = Callable[[tuple[Any, ...]], bool]


def _any(_: tuple[Any, ...]) -> bool:
    return True


def _calls(api: Operation) -> Counts:
    """Calls of `AwsClient.call` for this API."""
    return lambda arguments: arguments[1] is api


@dataclass(frozen=True, slots=True)
class Point:
    """The `nth` call of a method, among those whose arguments (self first) `counts` accepts."""

    when: Literal["before", "after"]
    owner: type[Any]
    method: str
    nth: int = 1
    counts: Counts = _any


POINTS = {
    "lease-taken": Point("after", Lease, "acquire"),
    "inventory-taken": Point("after", Adoption, "find"),
    "predecessor-announced": Point("after", WorkerChannel, "farewell"),
    "loading": Point("before", TaskLoader, "load", 10),
    "payload-written": Point("after", Launcher, "_write_ahead", 2),
    "job-accepted": Point("after", Launcher, "_send", 2),
    "result-read": Point("before", Deliveries, "store", 4),
    "result-stored": Point("after", Deliveries, "store", 4),
    "result-announced": Point("after", WorkerChannel, "announce_result", 4),
    "barrier-passed": Point("after", HeartbeatManager, "barrier"),
    "deleting": Point("before", AwsClient, "call", counts=_calls(DELETE_OBJECTS)),
    "deleted": Point("after", AwsClient, "call", counts=_calls(DELETE_OBJECTS)),
    "terminating": Point("before", JobEnder, "end"),
    "terminated": Point("after", JobEnder, "end"),
    "job-gone": Point("before", WorkerChannel, "answer_cancel"),
}


class _Trigger:
    """Kills the process at the point's moment."""

    def __init__(self, point: Point) -> None:
        self._point = point
        self._left = point.nth

    def at(self, when: str, arguments: tuple[Any, ...]) -> None:
        if when == self._point.when and self._point.counts(arguments):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def arm(point: Point) -> None:
    """From now on the point's moment is this process's end."""
    original = getattr(point.owner, point.method)
    assert inspect.iscoroutinefunction(original)
    trigger = _Trigger(point)

    @functools.wraps(original)
    async def deadly(*arguments: Any, **named: Any) -> Any:
        trigger.at("before", arguments)
        result = await original(*arguments, **named)
        trigger.at("after", arguments)
        return result

    setattr(point.owner, point.method, deadly)


if __name__ == "__main__":
    arm(POINTS[sys.argv.pop(1)])
    runpy.run_module("engine", run_name="__main__", alter_sys=True)
