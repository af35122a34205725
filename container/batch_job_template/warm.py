"""The runner's side of the template: for which function there is one, and what is done without it.

A template only ever saves time. Where it can't be had, or is lost, each task's process is forked from the runner and
loads its function itself, as the first one did: no task is told of it, and none is called because of it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from batch_job_child import Payload
from batch_job_control import receive
from batch_job_quoting import log
from batch_job_template.forking import ForkingProcess, adopt_orphans, start_forking
from batch_job_template.generators import LoadReport
from batch_job_template.inspection import LoadRefusal
from batch_job_template.template import LoadAnswer, run_template, send_order

LOAD_PATIENCE_S: Final = 10.0
"""For a template to load, beside twice the time that the first task took for it."""
LOAD_MOST_S: Final = 60.0
"""What an attempt has beside the time-outs of its tasks."""
_LOOK_S: Final = 0.2
_FOLDER: Final = "scaler-batch-template-"
_WHY: Final = {
    LoadRefusal.RAISED: "it can't be loaded there",
    LoadRefusal.THREADS: "loading it starts threads, which a fork would lose",
    LoadRefusal.FILES: "loading it opens files, sockets or devices, which tasks would share",
    LoadRefusal.PROCESSES: "loading it starts other processes",
    LoadRefusal.SHARED_MEMORY: "loading it makes memory or locks that tasks would share",
    LoadRefusal.TEMPORARY_FILES: "loading it leaves temporary files, which go with a task",
    LoadRefusal.MEMORY: "it takes more than a tenth of the job's memory",
}


class WarmTemplate:
    """The template of a job, for one function at a time: that of consecutive tasks.

    A function is any key that only its tasks have. With `spare`, the process that templates are forked from, None there
    is never one. `is_ending` tells that nothing more is to be started.
    """

    def __init__(self, spare: ForkingProcess | None, is_ending: Callable[[], bool]) -> None:
        self._spare = spare
        self._is_ending = is_ending
        self._function: Hashable = None
        self._process: ForkingProcess | None = None
        self._folder = ""
        self._folders: list[str] = []
        """Of this template and those before it, which go at the end."""
        self._last: tuple[Hashable, LoadReport | None] = (None, None)
        """Of the last task whose process loaded its function itself: that, and what it says if it took long."""

    @property
    def is_possible(self) -> bool:
        """Whether there may be one still."""
        return self._spare is not None

    @property
    def pids(self) -> frozenset[int]:
        """Of the processes that stay when a task has ended."""
        return frozenset(one.pid for one in (self._spare, self._process) if one is not None)

    def leave(self) -> None:
        """Let go of the processes, in one that was forked from the runner."""
        for one in (self._spare, self._process):
            if one is not None:
                one.leave()

    def is_due(self, function: Hashable) -> bool:
        """Whether the function came before, took long to load, and isn't the template's."""
        last, report = self._last
        return self._spare is not None and not self.has(function) and function == last and report is not None

    def has(self, function: Hashable) -> bool:
        """Whether tasks with this function can be forked from the template."""
        return self._process is not None and self._function == function

    def load(self, function: Hashable, payload: Payload) -> None:
        """Load the function of this task."""
        self._drop()
        adopt_orphans()
        started, (_, report), folder = time.monotonic(), self._last, self._make_folder()
        answer = report and self._start(replace(payload, folder=folder), report)
        if answer is None:
            self._give_up("its process ended, or took too long")
        elif answer.refusal is not None:
            self._give_up(f"{_WHY[answer.refusal]}{answer.detail and f' ({answer.detail})'}")
        else:
            self._function, self._folder = function, folder
            log(f"the function is loaded once for the tasks that follow, in {time.monotonic() - started:.3f} s")

    def fork(self, descriptors: Sequence[int]) -> int | None:
        """The pid of a task's process that has these descriptors; None, once and for all: there is none."""
        pid = None if self._process is None else self._process.fork(descriptors)
        if pid is None:
            self._give_up("its process is gone")
        return pid

    def note(self, function: Hashable, loaded: bytes | bytearray | None, *, is_out_of_memory: bool) -> None:
        """Note what a task's own process said of a long load, and what its end says of the memory that is left."""
        if is_out_of_memory and self._process is not None:
            self._give_up("a task needs its memory")
        if not self.has(function):
            self._last = (function, None if loaded is None else LoadReport.decode(loaded))

    @contextlib.contextmanager
    def folder(self) -> Iterator[str]:
        """The folder for temporary files that the template knows, empty for the next task."""
        folder = self._folder
        try:
            yield folder
        finally:
            _empty(folder)

    def _make_folder(self) -> str:
        with contextlib.suppress(OSError):  # as without a template: the task then has none of its own
            self._folders.append(tempfile.mkdtemp(prefix=_FOLDER))
            return self._folders[-1]
        return ""

    def end(self) -> None:
        """End all that was started, with its folders; idempotent."""
        self._end_processes()
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    def _end_processes(self) -> None:
        self._drop()
        if self._spare is not None:
            self._spare.end()
            self._spare = None

    def _start(self, payload: Payload, report: LoadReport) -> LoadAnswer | None:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = self._spare.fork([theirs.fileno()]) if self._spare is not None else None
        if pid is None:
            ours.close()
            return None
        self._process = ForkingProcess(pid, ours)
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
        self._end_processes()  # the task at hand may have the folder

    def _drop(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = self._function = None


@contextlib.contextmanager
def warm_template(is_wanted: bool, is_ending: Callable[[], bool]) -> Iterator[WarmTemplate]:
    """The template of a job, ended at its end. To be entered before there is anything that tasks shall not have."""
    is_possible = is_wanted and sys.platform == "linux"
    template = WarmTemplate(start_forking(run_template) if is_possible else None, is_ending)
    try:
        yield template
    finally:
        template.end()


def _empty(folder: str) -> None:
    """As it was made: the next task finds nothing of the one before it."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.mkdir(folder, 0o700)
