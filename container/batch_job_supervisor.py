"""The runner's side of the task's process: forks it, listens, measures and tells how it ends."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator
from typing import Final, NamedTuple

from batch_job_child import RSS_UNIT, Payload, run_child
from batch_job_control import (
    ChildOutcome,
    DamagedMessage,
    Door,
    MessageBuffer,
    MessageKind,
    Phase,
    send,
)
from batch_job_memory import FileBytes, file_text, memory_limit, oom_kills, was_out_of_memory
from batch_job_output import KeptStream, MarkedLines, TaskOutput
from batch_job_process import OPEN_FILES
from batch_job_quoting import log
from batch_job_sigterm import SigtermGuard
from batch_job_template.forking import ProcessEnd
from batch_job_template.templates import TaskSource, Templates
from batch_job_wire.protocol import MORE_MEMORY
from batch_job_wire.results import PYTHON_VERSION

SHUTDOWN_S: Final = 5.0
"""For the task's process to end as a program does, with its threads and atexit functions, after its result is out."""

_CHUNK: Final = 256 * 1024
_ORPHAN_LOOK_S: Final = 0.05
_DOING: Final = {
    Phase.LOADING: "while the function and its arguments were loaded",
    Phase.RUNNING: "while the function ran",
    Phase.RETURNING: "while the result was serialized",
}
_CRASHES: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGABRT, signal.SIGFPE)


class Exit(NamedTuple):
    """Exit status of a process: one of code and signal, CPU seconds, peak resident bytes."""

    code: int | None
    signal: int | None
    cpu_s: float
    peak_bytes: int


def _nothing() -> None:
    pass


class ProcessEnding(NamedTuple):
    """Ending of the task. `outcome` is None when its process couldn't say; `damage` says what it sent.

    With an outcome the process may still shut down: `finish` waits for its end, and cuts it off after `SHUTDOWN_S`.
    """

    outcome: ChildOutcome | None
    body: bytes | bytearray | FileBytes
    phase: Phase
    tail: str
    exit: Exit
    started_at: float
    duration_s: float
    damage: str = ""
    is_out_of_memory: bool = False
    kept: dict[int, KeptStream] | None = None
    """Its output by descriptor, if it was to be kept."""
    is_timed_out: bool = False
    loaded: bytearray | None = None
    """What it said of a load that took long."""
    finish: Callable[[], None] = _nothing


class _Stopwatch:
    """The wall seconds for which the function ran."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._stopped: float | None = None

    def start(self) -> None:
        self._started = time.monotonic()

    def stop(self) -> None:
        self._stopped = self._stopped or time.monotonic()

    @property
    def seconds(self) -> float:
        if self._started is None:
            return 0.0
        # the process's end may be seen before the message with which its function began
        return max(0.0, (self._stopped or time.monotonic()) - self._started)


class _Ends(NamedTuple):
    """One side of what a task's process speaks and writes through."""

    control: socket.socket
    stdout: int
    stderr: int

    def close(self) -> None:
        self.control.close()
        os.close(self.stdout)
        os.close(self.stderr)


def _open_ends() -> tuple[_Ends, _Ends]:
    """Ours, and those of the task's process."""
    (control, theirs), (stdout, their_stdout), (stderr, their_stderr) = socket.socketpair(), os.pipe(), os.pipe()
    return _Ends(control, stdout, stderr), _Ends(theirs, their_stdout, their_stderr)


class Supervisor:
    """Runs one payload in a process of its own; with `lines` the ending has the end of what it printed.

    With `timeout_s` the process of a packed task is killed after so long, and all of its process group with it.
    `beat` is called again and again until the outcome is here, after the seconds that it gives at the latest. Those
    of `templates` stay when the task's process has ended.
    """

    def __init__(
        self,
        guard: SigtermGuard,
        *,
        lines: MarkedLines | None = None,
        timeout_s: float | None = None,
        beat: Callable[[], float | None] = _nothing,
        templates: Templates | None = None,
    ) -> None:
        self._templates = templates
        self._source: TaskSource | None = None
        """What the task's process was forked from, if that isn't the runner."""
        self._is_orphan = False
        self._beat = beat
        self._guard = guard
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._is_timed_out = False
        self._selector = selectors.DefaultSelector()
        self._output = TaskOutput(lines)
        self._messages = MessageBuffer()
        self._door = Door()
        self._watch = _Stopwatch()
        self._phase = Phase.LOADING
        self._announced: ChildOutcome | None = None
        """The outcome whose body has not come yet."""
        self._outcome: ChildOutcome | None = None
        self._body: bytes | bytearray | FileBytes = b""
        self._received: list[int] = []
        """Descriptors that came with what the task says."""
        self._loaded: bytearray | None = None
        self._damage = ""
        self._exit: Exit | None = None
        self._is_packed = False
        self._closing = OPEN_FILES
        """What the process waits for before it ends, after its outcome."""
        self._resources = contextlib.ExitStack()

    def run(self, payload: Payload, source: TaskSource | None = None) -> ProcessEnding:
        """Returns when the task's outcome is here, or its process has ended without one, however it did.

        The process is forked from `source`, or from the runner. The caller has to `finish` the ending after it has
        saved the outcome.
        """
        started_at, kills = time.time(), oom_kills()
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._selector)
            stack.callback(self._door.close)
            self._wakeup = stack.enter_context(wakeups())
            self._watch_over(self._wakeup, self._reap)
            stack.callback(self._close_files)
            if source is None or not self._start_from(source, payload, stack):
                self._start(payload, stack)
            end = self._wait()
            self._output.end()
            self._resources = stack.pop_all()
        outcome, tail, seconds = self._outcome, self._output.tail(), self._watch.seconds
        killed = outcome is None and end.signal == signal.SIGKILL and not self._damage
        starved = killed and was_out_of_memory(kills, oom_kills(), end.peak_bytes, memory_limit())
        return ProcessEnding(
            outcome,
            self._body,
            self._phase,
            tail,
            end,
            started_at,
            seconds,
            self._damage,
            starved,
            self._output.kept,
            self._is_timed_out and outcome is None,
            self._loaded,
            self._finish,
        )

    def _start(self, payload: Payload, stack: contextlib.ExitStack) -> None:
        ours, theirs = _open_ends()
        if self._guard.fork() == 0:
            if self._templates is not None:
                self._templates.leave()
            ours.close()
            run_child(payload, theirs.control, theirs.stdout, theirs.stderr, self._door.name)
        theirs.close()
        self._attend(payload, ours, stack)

    def _start_from(self, source: TaskSource, payload: Payload, stack: contextlib.ExitStack) -> bool:
        """Whether the source forked a process for the task, which begins with what it is told here."""
        ours, theirs = _open_ends()
        given = theirs.control.fileno(), theirs.stdout, theirs.stderr
        is_there = self._guard.fork(lambda: source.fork(given)) is not None
        theirs.close()
        if not is_there:
            ours.close()  # should it turn up still, it ends
            return False
        self._source = source
        source.tell(ours.control, payload, self._door.name)
        self._attend(payload, ours, stack)
        self._watch_over(source.process.control, self._take_end)
        return True

    def _attend(self, payload: Payload, ours: _Ends, stack: contextlib.ExitStack) -> None:
        self._control = ours.control
        self._pid = self._guard.task
        self._is_packed = payload.is_packed
        if payload.is_packed and self._pid is not None:
            with contextlib.suppress(OSError):  # it does it itself, too: whoever comes first
                os.setpgid(self._pid, self._pid)
        stack.callback(lambda: self._control.close())
        self._control.setblocking(False)
        self._watch_over(self._control, self._listen)
        if self._door.listener is not None:
            self._watch_over(self._door.listener, self._open)
        for source, sink in ((ours.stdout, 1), (ours.stderr, 2)):
            stack.callback(os.close, source)
            self._output.add(source, sink)
            self._watch_over(source, lambda source=source: self._output.pump(source))

    def _watch_over(self, source: int | socket.socket, handle: Callable[[], bool]) -> None:
        self._selector.register(source, selectors.EVENT_READ, handle)

    def _wait(self) -> Exit:
        """How the process ended; with an outcome, what that says of it."""
        while self._exit is None and self._outcome is None:
            self._guard.enforce_grace()
            self._enforce_timeout()
            self._output.mark_if_due()
            self._turn(self._patience())
        if self._outcome is None:
            self._open()
            self._listen_to_the_end()
        if self._outcome is not None:
            return Exit(0, None, self._outcome.cpu_s, self._outcome.peak_bytes)
        assert self._exit is not None
        return self._exit

    def _patience(self) -> float | None:
        waits = [1.0] if self._guard.received else []
        if self._deadline is not None and not self._is_timed_out:
            waits.append(max(0.0, self._deadline - time.monotonic()))
        waits += [wait_s for wait_s in (self._output.wait_s, self._beat()) if wait_s is not None]
        return min(waits, default=None)

    def _enforce_timeout(self) -> None:
        if self._deadline is not None and not self._is_timed_out and time.monotonic() >= self._deadline:
            self._is_timed_out = True
            log("the task ran into its time-out, sending SIGKILL")
            _kill_group(self._pid)

    def _turn(self, timeout_s: float | None) -> None:
        if self._is_orphan:
            self._look_after_orphan()
            timeout_s = 0.0 if self._exit else min(_ORPHAN_LOOK_S, _ORPHAN_LOOK_S if timeout_s is None else timeout_s)
        for key, _ in self._selector.select(timeout_s):
            if not any(one is key for one in self._selector.get_map().values()):
                continue  # closed by another handler of this round
            if not key.data():
                self._selector.unregister(key.fileobj)

    def _finish(self) -> None:
        with self._resources:
            deadline = time.monotonic() + SHUTDOWN_S
            while self._exit is None and (left := deadline - time.monotonic()) > 0:
                due = self._beat()
                self._turn(left if due is None else min(left, due))
            if self._guard.task is not None:
                log(f"{SHUTDOWN_S:.0f} s after its result the task's process still waited for {self._closing}: cut off")
                os.kill(self._guard.task, signal.SIGKILL)
            while self._exit is None:
                self._turn(None)
            self._output.end()
            if self._is_packed:
                _end_leftovers(self._pid, self._templates.pids if self._templates is not None else frozenset())

    def _open(self) -> bool:
        """The task closed its socket, as daemons close all descriptors, and comes through the door."""
        connection = self._door.answer(self._pid)
        if connection is not None:
            self._listen_to_the_end()
            with contextlib.suppress(KeyError):  # its end was seen
                self._selector.unregister(self._control)
            self._control.close()
            self._control, self._messages = connection, MessageBuffer()
            self._control.setblocking(False)
            self._watch_over(self._control, self._listen)
        return True

    def _listen_to_the_end(self) -> None:
        """What the task said before it ended; a process that it left behind may keep the socket open."""
        with contextlib.suppress(BlockingIOError):
            while self._listen():
                pass

    def _listen(self) -> bool:
        """Handle what the task says. False when it will say nothing more."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _CHUNK, 1)
        except ConnectionResetError:
            return False
        self._received += descriptors
        if not self._damage:
            self._take(data)
        return bool(data)

    def _take(self, data: bytes) -> None:
        try:
            for kind, message in self._messages.feed(data):
                self._handle(kind, message)
        except DamagedMessage as error:
            if self._outcome is not None:
                return  # its answer was whole
            self._damage = str(error)
            if self._guard.task is not None:  # it may wait for an answer for ever
                os.kill(self._guard.task, signal.SIGKILL)

    def _handle(self, kind: MessageKind, message: bytearray) -> None:
        if kind is MessageKind.CLOSING:
            self._closing = message.decode(errors="replace")
        elif self._outcome is not None:
            pass  # it has answered
        elif kind is MessageKind.PHASE:
            self._enter(Phase.decode(message))
        elif kind is MessageKind.LOADED:
            self._loaded = message
        elif kind is MessageKind.TAIL:
            self._answer_tail()
        elif kind is MessageKind.OUTCOME:
            self._announced = ChildOutcome.decode(message)
        elif kind in (MessageKind.BODY, MessageKind.FILE):
            self._outcome, self._body = self._announced, self._file() if kind is MessageKind.FILE else message

    def _file(self) -> FileBytes:
        try:
            return FileBytes(self._received.pop(0))
        except (IndexError, ValueError) as error:
            raise DamagedMessage("no file") from error

    def _close_files(self) -> None:
        for descriptor in self._received:
            os.close(descriptor)
        if isinstance(self._body, FileBytes):
            self._body.close()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        if phase is Phase.RUNNING:
            self._watch.start()
        else:
            self._watch.stop()

    def _answer_tail(self) -> None:
        self._watch.stop()
        self._output.drain()
        self._control.setblocking(True)
        with contextlib.suppress(OSError):  # the task may have died meanwhile
            send(self._control, MessageKind.TAIL, self._output.tail().encode())
        self._control.setblocking(False)

    def _reap(self) -> bool:
        self._wakeup.recv(_CHUNK)
        if self._guard.task is None:
            return True
        if self._source is not None:
            return True  # that waits for it
        pid, status, usage = os.wait4(self._guard.task, os.WNOHANG)
        if pid:
            self._note_exit(ProcessEnd(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
        return True

    def _take_end(self) -> bool:
        """What the source says of the task's process, which goes on if that is gone itself."""
        assert self._source is not None
        try:
            self._note_exit(self._source.take_end())
        except OSError:
            self._source.lose()
            self._is_orphan = True
        return False

    def _look_after_orphan(self) -> None:
        """A process whose parent has ended is ours, or of somebody who doesn't tell us how it ended."""
        if self._guard.task is None:
            return
        try:
            pid, status, usage = os.wait4(self._guard.task, os.WNOHANG)
        except ChildProcessError:
            if not os.path.exists(f"/proc/{self._guard.task}"):
                self._note_exit(ProcessEnd(signal.SIGKILL, 0.0, 0))
            return
        if pid:
            self._note_exit(ProcessEnd(status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))

    def _note_exit(self, end: ProcessEnd) -> None:
        self._guard.task = None
        self._watch.stop()
        code = os.waitstatus_to_exitcode(end.status)
        own, other = (code, None) if code >= 0 else (None, -code)
        self._exit = Exit(own, other, end.cpu_s, end.max_rss * RSS_UNIT)


def _kill_group(leader: int | None) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if leader is not None:
            os.killpg(leader, signal.SIGKILL)


def _end_leftovers(leader: int | None, kept: Collection[int]) -> None:
    """End what a packed task left behind: its group, and what is ours as a container's first process adopts orphans."""
    _kill_group(leader)
    with contextlib.suppress(OSError, ValueError):
        for pid in map(int, file_text(f"/proc/self/task/{os.getpid()}/children").split()):
            if pid not in kept:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(ChildProcessError):
        while not kept and os.waitpid(-1, os.WNOHANG)[0]:
            pass


@contextlib.contextmanager
def wakeups() -> Iterator[socket.socket]:
    """A socket that becomes readable at each signal, SIGCHLD among them."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        old_fd = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        old_handler = signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            yield ours
        finally:
            signal.set_wakeup_fd(old_fd)
            signal.signal(signal.SIGCHLD, old_handler)


def describe_death(ending: ProcessEnding) -> str:
    """One sentence for the client: what happened, in which phase, after how long, with how much memory."""
    facts = f"{_DOING[ending.phase]} (it had run for {ending.duration_s:.1f} s"
    memory = f"peak memory {ending.exit.peak_bytes / 2**20:.0f} MiB)"
    return f"the task's process {_manner(ending.exit)} {facts}, {memory}: {_cause(ending)}"


def _manner(end: Exit) -> str:
    if end.signal is None:
        return f"ended with exit code {end.code}"
    return f"was ended by signal {end.signal} ({_name(end.signal)})"


def _cause(ending: ProcessEnding) -> str:
    end, phase = ending.exit, ending.phase
    if ending.is_timed_out:
        return "it did not end within the time-out that each task has"
    if ending.damage:
        return f"what it sent to the runner was damaged ({ending.damage}): something else wrote to its descriptor"
    if end.signal is None:
        return "something called os._exit or ended the process in another way past Python"
    if ending.is_out_of_memory:
        limit = memory_limit()
        has = f"the {limit / 2**20:.0f} MiB that the job has" if limit else "the job has"
        return f"it needed more memory than {has}; {MORE_MEMORY}"
    if end.signal == signal.SIGKILL:
        return "something sent it SIGKILL, most likely because it needed more memory than the job has"
    if end.signal in _CRASHES and phase is Phase.LOADING:
        return f"most likely the client's Python isn't the container's ({PYTHON_VERSION})"
    if end.signal in _CRASHES:
        return "native code crashed; a client whose Python or libraries differ from the container's is a usual cause"
    return "the function or a library that it uses sent that signal"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
