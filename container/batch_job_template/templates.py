"""The runner's side: from which process that of a task is forked, and what is done without any.

That is a bare one, which was forked from the runner before that had anything, or a template: one that has loaded the
function of consecutive tasks. They only ever save time. Where one can't be had, or is lost, each task's process is
forked from the runner and loads its function itself: no task is told of it, and none is called because of it.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final, NamedTuple

from batch_job_child import Payload
from batch_job_control import receive
from batch_job_memory import LARGE_BYTES
from batch_job_quoting import log
from batch_job_template.folder import TaskFolder
from batch_job_template.forking import ForkingProcess, ProcessEnd
from batch_job_template.inspection import LoadRefusal
from batch_job_template.load_report import LoadReport
from batch_job_template.process import LoadAnswer, send_order, send_task

LOAD_PATIENCE_S: Final = 10.0
"""For a template to load, beside twice the time that the first task took for it."""
LOAD_MOST_S: Final = 60.0
"""What an attempt has beside the time-outs of its tasks."""
_LOOK_S: Final = 0.2
_WHY: Final = {
    LoadRefusal.RAISED: "it can't be loaded there",
    LoadRefusal.THREADS: "loading it starts threads, which a fork would lose",
    LoadRefusal.FILES: "loading it opens files, sockets or devices, which tasks would share",
    LoadRefusal.PROCESSES: "loading it starts other processes",
    LoadRefusal.SHARED_MEMORY: "loading it makes memory or locks that tasks would share",
    LoadRefusal.TEMPORARY_FILES: "loading it leaves temporary files, which go with a task",
    LoadRefusal.MEMORY: "it takes more than a tenth of the job's memory",
}


class TaskSource(NamedTuple):
    """What the process of one task is forked from: the bare process, or a template, which has its function."""

    process: ForkingProcess
    is_template: bool
    lose: Callable[[], None]
    """To be called when it is gone."""

    def fork(self, descriptors: Sequence[int]) -> int | None:
        """The pid of a process that has these descriptors; None: there is none."""
        pid = self.process.fork_task(descriptors)
        if pid is None:
            self.lose()
        return pid

    def tell(self, control: socket.socket, payload: Payload, door: str) -> None:
        """Tell the process what its task is."""
        with contextlib.suppress(OSError):  # its end is seen
            send_task(control, payload, door, is_loaded=self.is_template)

    def take_end(self) -> ProcessEnd:
        """How the process ended; to be called when `process.control` is readable. Raises `OSError` if nobody knows."""
        return self.process.take_end()


class Templates:
    """The bare process of a job, and a template for one function at a time: that of consecutive tasks.

    A function is any key that only its tasks have. Without `bare` there is nothing, and unless it `may_load` no
    template. `is_ending` tells that nothing more is to be started.
    """

    def __init__(self, bare: ForkingProcess | None, is_ending: Callable[[], bool], *, may_load: bool) -> None:
        self._bare = bare
        self._may_load = may_load
        self._is_ending = is_ending
        self._function: Hashable = None
        self._process: ForkingProcess | None = None
        self._folders: list[TaskFolder] = []
        """Of this template and those before it, which go at the end."""
        self._last: tuple[Hashable, LoadReport | None] = (None, None)
        """Of the last task whose process loaded its function itself: that, and what it says if it took long."""

    @property
    def is_possible(self) -> bool:
        """Whether there may be a template still."""
        return self._bare is not None and self._may_load

    @property
    def pids(self) -> frozenset[int]:
        """Of our children that stay when a task has ended."""
        return frozenset() if self._bare is None else frozenset([self._bare.pid])

    def leave(self) -> None:
        """Let go of the processes, in one that was forked from the runner."""
        for one in (self._bare, self._process):
            if one is not None:
                one.leave()

    def source(self, function: Hashable, payload: Payload) -> TaskSource | None:
        """What the task's process is forked from; None: the runner."""
        is_large = sum(map(len, (payload.serializer, payload.function, *payload.arguments))) > LARGE_BYTES
        if self._bare is None or is_large:  # what is large would be copied on its way
            return None
        if self._process is not None and self.has(function):
            return TaskSource(self._process, True, lambda: self._give_up("its process is gone"))
        return TaskSource(self._bare, False, self._lose_bare)

    def is_due(self, function: Hashable) -> bool:
        """Whether the function came before, took long to load, and isn't the template's."""
        last, report = self._last
        return self.is_possible and not self.has(function) and function == last and report is not None

    def has(self, function: Hashable) -> bool:
        """Whether tasks with this function can be forked from the template."""
        return self._process is not None and self._function == function

    def load(self, function: Hashable, payload: Payload) -> None:
        """Load the function of this task."""
        self._drop()
        started, (_, report) = time.monotonic(), self._last
        self._folders.append(TaskFolder())
        answer = report and self._start(payload._replace(folder=self.folder.path), report)
        if answer is None:
            self._give_up("its process ended, or took too long")
        elif answer.refusal is not None:
            self._give_up(f"{_WHY[answer.refusal]}{answer.detail and f' ({answer.detail})'}")
        else:
            self._function = function
            log(f"the function is loaded once for the tasks that follow, in {time.monotonic() - started:.3f} s")

    def note(self, function: Hashable, loaded: bytes | bytearray | None, *, is_out_of_memory: bool) -> None:
        """Note what a task's own process said of a long load, and what its end says of the memory that is left."""
        if is_out_of_memory and self._process is not None:
            self._give_up("a task needs its memory")
        if not self.has(function):
            self._last = (function, None if loaded is None else LoadReport.decode(loaded))

    @property
    def folder(self) -> TaskFolder:
        """The folder for temporary files that the template knows."""
        return self._folders[-1]

    def end(self) -> None:
        """End all that was started, with its folders; idempotent."""
        self._drop()
        self._end_bare()
        for folder in self._folders:
            folder.remove()

    def _end_bare(self) -> None:
        if self._bare is not None:
            self._bare.end()
            self._bare = None

    def _start(self, payload: Payload, report: LoadReport) -> LoadAnswer | None:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = self._bare.fork([theirs.fileno()]) if self._bare is not None else None
        if pid is None:
            ours.close()
            return None
        self._process = ForkingProcess(pid, ours, self._bare)
        with contextlib.suppress(OSError):
            send_order(ours, payload, report.generators)
            if self._comes(ours, time.monotonic() + min(LOAD_PATIENCE_S + 2 * report.seconds, LOAD_MOST_S)):
                return LoadAnswer.decode(receive(ours))
        return None

    def _comes(self, control: socket.socket, deadline: float) -> bool:
        """Whether an answer comes in time, and before the job is to end."""
        while (left := deadline - time.monotonic()) > 0 and not self._is_ending():
            if select.select([control], [], [], min(left, _LOOK_S))[0]:
                return True
        return False

    def _give_up(self, why: str) -> None:
        if not self._is_ending():
            log(f"each task loads its function itself: {why}")
        self._may_load = False
        self._drop()  # the task at hand may have the folder

    def _lose_bare(self) -> None:
        if not self._is_ending():
            log("each task's process is forked from the runner: the one that forked them is gone")
        self._drop()
        self._end_bare()

    def _drop(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = self._function = None


@contextlib.contextmanager
def job_templates(bare: ForkingProcess | None, is_ending: Callable[[], bool], *, may_load: bool) -> Iterator[Templates]:
    """What the processes of a job's tasks are forked from, ended at its end."""
    templates = Templates(bare, is_ending, may_load=may_load)
    try:
        yield templates
    finally:
        templates.end()
