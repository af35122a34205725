"""Lanes of a pack: for a job with several vCPUs, processes that run one task each at a time, and hand out its entries.

The order is still the evidence: a lane takes the lowest entry that nobody took, and only once the result of its last
one is written. So of a job with so many lanes that dies, the first so many entries without a result may have been
called, and all later ones were not. A running task whose mark appears is ended with its lane, gets the result that says
so, and another lane takes the place of that one: its mates go on. So they do where a task ends its lane.

What lanes write comes through here, line by line, and a line says whose the next ones are.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from struct import Struct
from types import FrameType
from typing import Final, NoReturn, Protocol

from batch_job_pack.order import Entry
from batch_job_quoting import log, speaker_line, speaker_of
from batch_job_supervisor import wakeups
from batch_job_wire.protocol import RunnerExit

LOOK_S: Final = 5.0
"""A task that has run for so long is looked for among the cancelled ones, and again after as long."""
_LOOK_AGAIN_S: Final = 0.1
"""Whether S3 has answered."""
_CHUNK, _READS = 64 * 1024, 2
"""Bytes of a read, and reads that empty a pipe, which holds as many bytes or fewer, whatever comes meanwhile."""
_END_S, _END_LOOK_S = 5.0, 0.01
"""For a killed process to be gone, and between two looks whether it is."""
_NEXT: Final = b"n"
"""What a lane says when it wants an entry."""
_PLACE, _PID = Struct("<i"), Struct("<q")
_LONGEST_LINE: Final = 256 * 1024
_KILLED: Final = 128
"""Added to the number of the signal that ended a lane, as a container's exit code has it."""

RunLane = Callable[[Iterator[int], Callable[[int], None]], int]
"""Runs the entries at the places that it takes, in a process of its own; gives the code of `RunnerExit`.

It tells the pid of each task's process, which leads a group.
"""
_OWN_CODES: Final = frozenset(RunnerExit) - {RunnerExit.FUNCTION_FAILED}
"""With which a lane ends by itself, if no defect of ours ends it."""


class LaneTasks(Protocol):
    """What can be done with entries beside the lanes."""

    def is_marked(self, entry: Entry) -> bool:
        """Whether it has a mark that it is cancelled, as far as S3 says at once."""

    def end_cancelled(self, entry: Entry, place: int) -> RunnerExit:
        """Give it the result that says that it was cancelled; `DONE` once it has one."""

    def end_lost(self, entry: Entry, place: int, code: int) -> RunnerExit:
        """Give it the result of one whose lane ended with this code; `DONE` once it has one."""


@dataclass(eq=False)
class _Lane:
    """A lane as its maker sees it. `place` is that of the entry that it has, None between two."""

    pid: int
    control: socket.socket
    output: int
    place: int | None = None
    task: int | None = None
    """The process of that entry."""
    looked_at: float = 0.0
    is_cancelled: bool = False
    is_ending: bool = False
    begun: bytearray = field(default_factory=bytearray)
    """Of what it writes the line that isn't whole."""

    def close(self) -> None:
        self.control.close()
        os.close(self.output)

    def end(self) -> None:
        """Ask it to end: its task has as long as at the end of a job."""
        self.is_ending = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


class RunnerLanes:
    """Runs `entries`, the first of which is at the place `first` of its submission's frame, in `count` lanes."""

    def __init__(
        self,
        entries: Sequence[Entry],
        first: int,
        count: int,
        *,
        attempt: int,
        run_lane: RunLane,
        tasks: LaneTasks,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries = entries
        self._first = first
        self._next = first
        self._count = min(count, len(entries))
        self._attempt = attempt
        self._run_lane = run_lane
        self._tasks = tasks
        self._clock = clock
        self._lanes: list[_Lane] = []
        self._code: int = RunnerExit.DONE
        """With which the job ends."""
        self._is_ending = False
        self._look: _Look | None = None
        self._speaking = ""
        """The task whose lines a reader of the log takes the next one for."""
        self._selector = selectors.DefaultSelector()

    def run(self) -> int:
        """Run all entries and return the job's exit code. SIGTERM ends the lanes, each with its grace."""
        previous = signal.signal(signal.SIGTERM, self._on_sigterm)
        try:
            with self._selector, wakeups() as woken:
                self._selector.register(woken, selectors.EVENT_READ, lambda: self._reap(woken))
                while True:
                    self._fill()
                    if not self._lanes:
                        break
                    self._turn()
            is_left = self._code == RunnerExit.DONE and self._next < self._end
            return RunnerExit.TRY_AGAIN if is_left else self._code
        finally:
            signal.signal(signal.SIGTERM, previous)

    # ---- lanes

    @property
    def _end(self) -> int:
        """The place behind the last entry."""
        return self._first + len(self._entries)

    @property
    def _has_more(self) -> bool:
        return self._next < self._end and not self._is_ending and self._code == RunnerExit.DONE

    def _fill(self) -> None:
        while self._has_more and len(self._lanes) < self._count:
            self._join_look()  # beside a thread nothing is forked
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            self._lanes.append(self._start())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    def _start(self) -> _Lane:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        output, their_output = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._leave()
            ours.close()
            os.close(output)
            _become_lane(self._run_lane, theirs, their_output)
        theirs.close()
        os.close(their_output)
        os.set_blocking(output, False)
        lane = _Lane(pid, ours, output)
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._hear(lane))
        self._selector.register(output, selectors.EVENT_READ, lambda: self._relay(lane))
        return lane

    def _leave(self) -> None:
        """Close what is the maker's, in a lane: only so another one sees that nothing comes any more."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for lane in self._lanes:
            lane.close()

    def _hear(self, lane: _Lane) -> None:
        """A lane wants an entry, since its last one has a result; or it has ended, and `_reap` knows how."""
        said = _receive(lane.control)
        if not said:
            self._selector.unregister(lane.control)
            return
        if said != _NEXT:
            lane.task = _PID.unpack(said)[0]
            return
        self._relay(lane)  # what it wrote of the last one
        lane.place = lane.task = None
        if lane.is_ending or not self._has_more:
            with contextlib.suppress(OSError):  # it has ended
                lane.control.shutdown(socket.SHUT_WR)
            return
        lane.place, lane.looked_at = self._next, self._clock()
        self._next += 1
        with contextlib.suppress(OSError):  # it is ended by somebody: then the entry was not called
            lane.control.send(_PLACE.pack(lane.place))

    def _reap(self, woken: socket.socket) -> None:
        """Take the ends of lanes, and of what their tasks left behind where we are a container's first process."""
        woken.recv(_CHUNK)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for lane in [one for one in self._lanes if one.pid == ended[0]]:
                    code = os.waitstatus_to_exitcode(ended[1])
                    self._close(lane, code if code >= 0 else _KILLED - code)

    def _close(self, lane: _Lane, code: int) -> None:
        lane.is_ending = True
        while lane.control.fileno() in self._selector.get_map():  # what it said before it ended
            self._hear(lane)
        self._relay(lane)
        self._write([self._attributed(lane, bytes(lane.begun))] if lane.begun else [])
        for source in (lane.control, lane.output):
            with contextlib.suppress(KeyError):
                self._selector.unregister(source)
        lane.close()
        self._lanes.remove(lane)
        if lane.is_cancelled:
            self._settle(lane, self._tasks.end_cancelled)
        elif lane.place is not None and code not in _OWN_CODES:
            _end_task(lane)
            self._settle(lane, partial(self._tasks.end_lost, code=code))
        elif lane.place is not None or code not in (RunnerExit.DONE, RunnerExit.TRY_AGAIN):
            self._note_code(code)

    def _settle(self, lane: _Lane, give_result: Callable[[Entry, int], RunnerExit]) -> None:
        """Its lane is gone, and with it the task that it had, if it had one."""
        if lane.place is not None:
            self._join_look()
            self._note_code(give_result(self._entries[lane.place - self._first], lane.place))

    def _note_code(self, code: int) -> None:
        """No entry is begun any more; that one was called and has no result counts more than that none was."""
        if self._code in (RunnerExit.DONE, RunnerExit.TRY_AGAIN) and code != RunnerExit.DONE:
            self._code = code

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self._is_ending = True
        for lane in list(self._lanes):
            lane.end()

    # ---- cancels

    def _turn(self) -> None:
        for key, _ in self._selector.select(self._patience()):
            if any(one is key for one in self._selector.get_map().values()):  # not closed by another of this round
                key.data()
        self._look_for_marks()

    def _patience(self) -> float | None:
        if self._look is not None:
            return _LOOK_AGAIN_S
        due = [lane.looked_at + LOOK_S for lane in self._running()]
        return max(0.0, min(due) - self._clock()) if due else None

    def _running(self) -> list[_Lane]:
        return [lane for lane in self._lanes if lane.place is not None and not lane.is_ending]

    def _look_for_marks(self) -> None:
        """Of tasks that have run for some time. In a thread: S3 may take long, and what lanes write must not wait."""
        if self._look is not None:
            if self._look.is_alive():
                return
            self._end_marked(self._look)
            self._look = None
        now = self._clock()
        due = [lane for lane in self._running() if lane.looked_at + LOOK_S <= now]
        if due:
            places = [lane.place for lane in due if lane.place is not None]
            for lane in due:
                lane.looked_at = now
            self._look = _Look({place: self._entries[place - self._first] for place in places}, self._tasks)
            self._look.start()

    def _end_marked(self, look: _Look) -> None:
        for lane in self._running():
            if lane.place in look.marked:
                log(f"task {self._id_of(lane)} is cancelled while it runs, its lane is ended")
                lane.is_cancelled = True
                lane.end()

    def _join_look(self) -> None:
        if self._look is not None:
            self._look.join()

    # ---- what lanes write

    def _relay(self, lane: _Lane) -> None:
        """Pass on whole lines, of all that it has written until now; who goes on writing doesn't hold up the others."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_READS):
                chunk = os.read(lane.output, _CHUNK)
                if not chunk:
                    with contextlib.suppress(KeyError):
                        self._selector.unregister(lane.output)
                    return
                *lines, rest = bytes(lane.begun + chunk).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                lane.begun[:] = rest
                self._write([self._attributed(lane, line) for line in lines])

    def _attributed(self, lane: _Lane, line: bytes) -> bytes:
        """The line, behind one that says whose it is where the log doesn't tell."""
        said = speaker_of(line.decode(errors="replace"))
        before = b""
        if said is not None:
            self._speaking = said[0] if said[1] else ""
        elif lane.place is not None and self._speaking != self._id_of(lane):
            self._speaking = self._id_of(lane)
            before = speaker_line(self._speaking, self._attempt).encode()
        return before + line + b"\n"

    def _id_of(self, lane: _Lane) -> str:
        assert lane.place is not None
        return self._entries[lane.place - self._first].task_id.hex()

    def _write(self, lines: Sequence[bytes]) -> None:
        """To standard error, as the runner's own lines: two descriptors are read by two readers."""
        data = memoryview(b"".join(lines))
        with contextlib.suppress(OSError):  # nobody reads our log any more: the results matter still
            while data:
                data = data[os.write(2, data) :]


class _Look(threading.Thread):
    """A look for the marks of the entries at these places; `marked` are those that have one, once it has ended."""

    def __init__(self, entries: dict[int, Entry], tasks: LaneTasks) -> None:
        super().__init__(name="marks", daemon=True)
        self._entries = entries
        self._tasks = tasks
        self.marked: set[int] = set()

    def run(self) -> None:
        for place, entry in self._entries.items():
            if self._tasks.is_marked(entry):
                self.marked.add(place)


def _become_lane(run_lane: RunLane, control: socket.socket, output: int) -> NoReturn:
    """SIGTERM is blocked still: it is for `run_lane` to allow it, when it can handle it."""
    code: int = RunnerExit.FUNCTION_FAILED
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.register_at_fork(after_in_child=control.close)  # a task takes no entries
        code = run_lane(_places(control), lambda pid: _tell_task(control, pid))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _places(control: socket.socket) -> Iterator[int]:
    """The places of the entries to run: each is asked for when the one before it has its result."""
    while True:
        control.send(_NEXT)
        place = control.recv(_PLACE.size)
        if not place:
            return
        yield _PLACE.unpack(place)[0]


def _receive(control: socket.socket) -> bytes:
    """What a lane said; empty when that was all."""
    try:
        return control.recv(_PID.size, socket.MSG_DONTWAIT)
    except (ConnectionResetError, BlockingIOError):  # it ended with something unread
        return b""


def _tell_task(control: socket.socket, pid: int) -> None:
    control.send(_PID.pack(pid))


def _end_task(lane: _Lane) -> None:
    """The process of a task that outlived its lane, with its group; none of it runs any more when this returns."""
    if lane.task is None:
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(lane.task, signal.SIGKILL)
    deadline = time.monotonic() + _END_S
    while time.monotonic() < deadline and os.path.exists(f"/proc/{lane.task}"):
        with contextlib.suppress(ChildProcessError):  # a container's first process has adopted it
            os.waitpid(lane.task, os.WNOHANG)
        time.sleep(_END_LOOK_S)
