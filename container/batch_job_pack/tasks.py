"""The tasks of a job, one at a time: those of a pack, or the only one. Each is read, run and given its result."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from batch_job_child import Payload
from batch_job_control import ChildOutcome, Phase
from batch_job_errors import builtin_error
from batch_job_memory import LARGE_BYTES, FileBytes, LargeBytes, memory_limit
from batch_job_output import MarkedLines
from batch_job_pack.order import Entry
from batch_job_pack.segments import SegmentWriter
from batch_job_pack.shared_blobs import SharedBlobs
from batch_job_quoting import log, quote_foreign
from batch_job_settings import Settings
from batch_job_sigterm import SigtermGuard
from batch_job_store import MissingObject, Store, StoreError, provide_code
from batch_job_supervisor import Exit, ProcessEnding, Supervisor, describe_death
from batch_job_template.folder import TaskFolder
from batch_job_template.templates import Templates
from batch_job_wire.code_archive import CodeError
from batch_job_wire.payload_frames import BlobRef, DamagedEntry, FrameError, PayloadReader, TaskEntry
from batch_job_wire.protocol import RunnerExit, blob_key, mark_key, marks_prefix, result_key, results_prefix
from batch_job_wire.result_frames import (
    SIGNED_BYTES,
    StoredFrame,
    encode_result,
    is_signed,
    split_frames,
    stored_result,
)
from batch_job_wire.result_segments import MAX_SEGMENT_BYTES, ResultSegment, last_segment, parse_segment, segment_key
from batch_job_wire.results import (
    LONGEST_ERROR,
    LONGEST_MESSAGE,
    LONGEST_PLACE,
    PYTHON_VERSION,
    ResultMeta,
    ResultStatus,
)

RUNNER_VERSION: Final = "0.1.0"

_EXIT_CODES: Final = {ResultStatus.SUCCESS: RunnerExit.DONE, ResultStatus.UNLOADABLE: RunnerExit.UNLOADABLE}

_LOST: Final = (
    "the runner's process that ran the task beside others ended with exit code {code}, as when the task kills it or "
    "the kernel ends it for memory; the task was ended with it"
)


class _Unusable(Exception):
    """The task is known, but can't be loaded here; the text goes to the client."""


class JobTasks:
    """What is done with each of the tasks, which `PackedTasks` and `LaneTasks` describe."""

    def __init__(
        self, settings: Settings, store: Store, guard: SigtermGuard, reader: PayloadReader, templates: Templates
    ) -> None:
        self._settings = settings
        self._store = store
        self._hasty = replace(store, read_patience_s=0.0)
        self._guard = guard
        self._reader = reader
        self._templates = templates
        self._shared = SharedBlobs(lambda ref: self._external(ref) if ref.offset is None else reader.blob(ref))
        self._code: tuple[str, ...] | None = None
        self._writer: SegmentWriter | None = None
        self._may_list: bool | None = None
        self._segments: dict[ResultSegment, list[bytes] | None] = {}
        """Of an earlier attempt, with their frames once they were read."""
        self._listed: set[str] | None = None
        """The names of the results that are there; None: not known."""
        self._marks: set[str] | None = set()
        """The names of the marks that were there when entries were announced; None: they may not be listed."""
        self._marked = range(0)
        """The places of these entries."""
        self._memory_limit = memory_limit()
        if settings.is_packed and settings.attempt > 1:
            self._listed = store.names(results_prefix(settings.submission))
            found = filter(None, map(parse_segment, self._listed or ()))
            self._segments = {one: None for one in found if one.is_sealed(settings.submission, reader.secret)}
        self._own_folder = TaskFolder() if settings.is_packed else None  # last: nobody closes what wasn't made

    def close(self) -> None:
        """Remove what was made for the tasks."""
        if self._own_folder is not None:
            self._own_folder.remove()

    def gather(self, places: range) -> None:
        """Write the results of the pack with the entries at these places together, as far as they come fast."""
        submission = self._settings.submission
        last = last_segment(one for one in self._segments if one.first in places)
        if last is not None and last.until > last.end + 1:  # what an earlier attempt announced is not called before
            nothing = ResultSegment(last.end, 0, last.end).sealed(submission, self._reader.secret)
            self._store.put(segment_key(submission, nothing), b"")
        if self._settings.has_segments:
            self._writer = SegmentWriter(
                self._store.put, submission, self._reader.secret, places.stop, may_gather=self._may_gather
            )

    def _may_gather(self) -> bool:
        """Another attempt finds segments by listing them alone."""
        if self._may_list is None:
            self._may_list = self._listed is not None or self._store.may_list(results_prefix(self._settings.submission))
        return self._may_list

    def settle(self, place: int) -> RunnerExit:
        """Write what has to be written before the entry at this place may be called."""
        writer = self._writer
        return RunnerExit.DONE if writer is None else _written(lambda: writer.settle(place))

    def finish(self) -> RunnerExit:
        """Write what is left to write."""
        return RunnerExit.DONE if self._writer is None else _written(self._writer.finish)

    def is_written(self, entry: Entry, place: int) -> bool:
        """Whether an earlier attempt wrote the result. What another job wrote there is written over."""
        name, secret = entry.task_id.hex(), self._reader.secret
        if self._settings.attempt <= 1:
            return False
        heads = [self._in_segment(segment, place) for segment in self._segments]
        if self._listed is None or name in self._listed:
            heads.append(self._store.head(self._key(entry), SIGNED_BYTES))
        there = [head for head in heads if head is not None]
        if not there:
            return False
        if not secret or any(is_signed(head, entry.task_id, secret) for head in there):
            log(f"task {name}: an earlier attempt has written the result, nothing to do")
            return True
        log(f"task {name}: what lies at its result's key was not written by an attempt of this job")
        return False

    def _in_segment(self, segment: ResultSegment, place: int) -> bytes | None:
        """The frame of the entry at this place; None if the segment is of others."""
        if not segment.first <= place < segment.end:
            return None
        frames = self._segments[segment]
        if frames is None:
            key = segment_key(self._settings.submission, segment)
            frames = split_frames(self._store.head(key, MAX_SEGMENT_BYTES) or b"", segment.results)
            self._segments[segment] = frames
        return frames[place - segment.first]

    def is_cancelled(self, entry: Entry, place: int) -> bool:
        """Of entries that are announced together the marks are looked for once: until then none of them may be called.

        Who sets a mark later sees in the announcement that its task may be running.
        """
        announced = None if self._writer is None else self._writer.announced(place)
        if announced is not None and announced != self._marked and self._marks is not None:
            self._marks, self._marked = self._store.names(marks_prefix(self._settings.submission)), announced
        if announced is None or self._marks is None:
            return self._store.exists(mark_key(self._settings.submission, entry.task_id))
        return entry.task_id.hex() in self._marks

    def is_marked(self, entry: Entry) -> bool:
        """Whether S3 shows a mark at once. For a thread beside the lanes."""
        try:
            return self._hasty.exists(mark_key(self._settings.submission, entry.task_id))
        except StoreError:  # it is asked again
            return False

    def end_cancelled(self, entry: Entry, place: int) -> RunnerExit:
        """Give a task that was ended for its cancel the result of one that was passed over, if maybe in its call."""
        outcome = ChildOutcome(ResultStatus.SKIPPED, Phase.RUNNING, "cancelled")
        return self._write(entry, place, _not_started(outcome, b""))

    def end_lost(self, entry: Entry, place: int, code: int) -> RunnerExit:
        """Give a task whose lane ended under it the result of one that died."""
        outcome = ChildOutcome(ResultStatus.DIED, Phase.RUNNING, f"its lane ended with {code}")
        return self._write(entry, place, _not_started(outcome, builtin_error(_LOST.format(code=code))))

    def skip(self, entry: Entry, place: int) -> RunnerExit:
        """Give it the result that says that it never starts."""
        outcome = ChildOutcome(ResultStatus.SKIPPED, Phase.LOADING, "cancelled")
        return self._write(entry, place, _not_started(outcome, b""))

    def run(self, entry: Entry, place: int) -> RunnerExit:
        """Run it and give it a result, whatever that says; a single job exits with the code that says so, too."""
        if (code := self._warm_up(entry)) is not RunnerExit.DONE:
            return code
        folder = self._folder(entry)
        ending = self._ending(entry, "" if folder is None else folder.path)
        try:
            if self._guard.received and (ending.outcome is None or ending.outcome.status is not ResultStatus.SUCCESS):
                return self._terminated(ending)
            return self._write(entry, place, ending)
        finally:
            ending.finish()
            if folder is not None:
                folder.renew()

    def _warm_up(self, entry: Entry) -> RunnerExit:
        """Load the function in a template if that is due; no result waits meanwhile."""
        if not isinstance(entry, TaskEntry) or not self._templates.is_due(_function(entry)):
            return RunnerExit.DONE
        code = self.finish()
        if code is RunnerExit.DONE:
            with contextlib.suppress(_Unusable, FrameError, MissingObject):  # the task itself says so
                self._templates.load(_function(entry), self._payload(entry, ""))
        return code

    def _folder(self, entry: Entry) -> TaskFolder | None:
        """For the task's temporary files. A template knows its own already."""
        if isinstance(entry, TaskEntry) and self._templates.has(_function(entry)):
            return self._templates.folder
        return self._own_folder

    def _key(self, entry: Entry) -> str:
        return result_key(self._settings.submission, entry.task_id)

    def _ending(self, entry: Entry, folder: str) -> ProcessEnding:
        try:
            self._check_python()
            payload = self._payload(entry, folder)
        except (_Unusable, FrameError, MissingObject) as error:
            return _refused(f"the task can't be loaded in the container: {error}")
        size = sum(map(len, (payload.serializer, payload.function, *payload.arguments)))
        log(f"task {entry.task_id.hex()}: attempt {self._settings.attempt}, {size} bytes of payload")
        is_streamed = isinstance(entry, TaskEntry) and entry.wants_output
        lines = MarkedLines(entry.task_id.hex(), self._settings.attempt) if is_streamed else None
        timeout_s = self._settings.timeout_s if self._settings.is_packed else None
        templates = self._templates
        supervisor = Supervisor(self._guard, lines=lines, timeout_s=timeout_s, beat=self._beat, templates=templates)
        function = _function(entry) if isinstance(entry, TaskEntry) else None
        ending = supervisor.run(payload, templates.source(function, payload))
        templates.note(function, ending.loaded, is_out_of_memory=ending.is_out_of_memory)
        return ending

    def _beat(self) -> float | None:
        return None if self._writer is None else self._writer.beat(is_ending=self._guard.received)

    def _check_python(self) -> None:
        wanted, here = self._settings.python, "{}.{}".format(*sys.version_info[:2])
        if wanted is not None and wanted != here:
            raise _Unusable(f"the client runs Python {wanted}, the image {here}: give both the same")

    def _payload(self, entry: Entry, folder: str) -> Payload:
        if isinstance(entry, DamagedEntry):
            raise _Unusable(entry.reason)
        refs = (entry.serializer, entry.function, *entry.arguments)
        serializer, function = self._read(entry.serializer), self._read(entry.function)
        arguments = tuple(map(self._read_argument, entry.arguments))
        self._shared.forget(refs)
        return Payload(
            serializer,
            function,
            arguments,
            entry.task_id,
            self._settings.scheduler,
            code=self._folders(),
            is_packed=self._settings.is_packed,
            folder=folder,
            may_have_followers=self._templates.is_possible,
        )

    def _folders(self) -> tuple[str, ...]:
        """Of the user's own code; unpacked for the first task of the job."""
        digest = self._settings.code
        if digest and self._code is None:
            start = time.monotonic()
            try:
                self._code = provide_code(self._store, digest)
            except (CodeError, OSError) as error:
                raise _Unusable(f"{quote_foreign(error)}: push the code again") from error
            log(f"code {digest[:12]} is there after {time.monotonic() - start:.3f} s")
        return self._code or ()

    def _read(self, ref: BlobRef) -> bytes:
        return self._reader.blob(ref) if self._reader.holds(ref) else self._shared.get(ref)

    def _read_argument(self, ref: BlobRef) -> bytes | LargeBytes:
        """Of a pack the next task may need it, too."""
        is_large = ref.offset is None and ref.length >= LARGE_BYTES and not self._settings.is_packed
        return self._large(ref) if is_large else self._read(ref)

    def _external(self, ref: BlobRef) -> bytes:
        data = self._store.get(blob_key(ref.digest))
        _check_shared(ref, hashlib.sha256(data).hexdigest(), len(data))
        return data

    def _large(self, ref: BlobRef) -> LargeBytes:
        """Checked as it comes, before anything of it is loaded."""
        data, digest = LargeBytes(ref.length), hashlib.sha256()

        def take(offset: int, part: bytes) -> None:
            digest.update(part)
            data.write(offset, part)

        length = self._store.stream(blob_key(ref.digest), ref.length, take)
        _check_shared(ref, digest.hexdigest(), length)
        return data

    def _terminated(self, ending: ProcessEnding) -> RunnerExit:
        called = ending.phase is not Phase.LOADING or bool(ending.damage)  # then its word that it begins may be lost
        log(f"ended by SIGTERM, the function was {'interrupted' if called else 'not called'}, no result is written")
        return RunnerExit.TERMINATED if called else RunnerExit.TRY_AGAIN

    def _write(self, entry: Entry, place: int, ending: ProcessEnding) -> RunnerExit:
        outcome, body = (ending.outcome, ending.body) if ending.outcome else _dead(ending)
        encode: Any = stored_result if isinstance(body, FileBytes) else encode_result
        frame = encode(self._meta(entry, outcome, ending), body, self._reader.secret)
        start = time.monotonic()
        if _written(lambda: self._put(entry, place, frame)) is not RunnerExit.DONE:
            return RunnerExit.UNWRITTEN
        code = _EXIT_CODES.get(outcome.status, RunnerExit.FUNCTION_FAILED)
        log(
            f"task {entry.task_id.hex()}: {outcome.status.value} ({outcome.label}) while {outcome.phase.value}, ran "
            f"{ending.duration_s:.3f} s, {len(frame)} bytes written in {time.monotonic() - start:.3f} s"
            f"{'' if self._settings.is_packed else f': exit {code:d}'}"
        )
        return RunnerExit.DONE if self._settings.is_packed else code

    def _put(self, entry: Entry, place: int, frame: bytes | bytearray | StoredFrame) -> None:
        if self._writer is None:
            self._store.put(self._key(entry), frame)
        else:
            self._writer.add(place, entry.task_id, frame)

    def _meta(self, entry: Entry, outcome: ChildOutcome, ending: ProcessEnding) -> ResultMeta:
        return ResultMeta(
            task_id=entry.task_id.hex(),
            status=outcome.status,
            phase=outcome.phase.value,
            attempt=self._settings.attempt,
            started_at=ending.started_at,
            duration_s=ending.duration_s,
            cpu_s=ending.exit.cpu_s,
            peak_bytes=ending.exit.peak_bytes,
            python=PYTHON_VERSION,
            exit_code=ending.exit.code,
            signal=ending.exit.signal,
            runner_version=RUNNER_VERSION,
            error=outcome.error[:LONGEST_ERROR],
            place=outcome.place[:LONGEST_PLACE],
            message=outcome.message[:LONGEST_MESSAGE],
            is_damaged=bool(ending.damage),
            is_out_of_memory=ending.is_out_of_memory,
            memory_limit=self._memory_limit,
            is_timed_out=ending.is_timed_out,
            **_printed(ending),
        )


def _function(entry: TaskEntry) -> tuple[BlobRef, BlobRef]:
    """What only tasks with the same function have: a frame holds equal blobs once."""
    return entry.serializer, entry.function


def _written(write: Callable[[], None]) -> RunnerExit:
    try:
        write()
    except StoreError as error:
        log(f"the function was called, and its result can't be written: {error}: exit {RunnerExit.UNWRITTEN:d}")
        return RunnerExit.UNWRITTEN
    return RunnerExit.DONE


def _check_shared(ref: BlobRef, digest: str, length: int) -> None:
    if digest != ref.digest or length != ref.length:
        raise _Unusable(f"the shared object {ref.digest} was altered in S3 ({length} bytes)")


def _refused(text: str) -> ProcessEnding:
    """The ending of a task that can't be started."""
    return _not_started(ChildOutcome(ResultStatus.UNLOADABLE, Phase.LOADING, "refused"), builtin_error(text))


def _not_started(outcome: ChildOutcome, body: bytes) -> ProcessEnding:
    nothing = Exit(code=None, signal=None, cpu_s=0.0, peak_bytes=0)
    return ProcessEnding(outcome, body, Phase.LOADING, "", nothing, time.time(), 0.0)


def _printed(ending: ProcessEnding) -> dict[str, Any]:
    """What the result says of the task's output, when its client asked for it."""
    if ending.kept is None:
        return {}
    stdout, stderr = ending.kept[1], ending.kept[2]
    return {
        "is_output_kept": True,
        "stdout": stdout.encode(),
        "stdout_bytes": stdout.written,
        "stderr": stderr.encode(),
        "stderr_bytes": stderr.written,
    }


def _dead(ending: ProcessEnding) -> tuple[ChildOutcome, bytes]:
    """Outcome and exception of a process that ended without a word."""
    loading = ending.phase is Phase.LOADING and not ending.is_timed_out
    status = ResultStatus.UNLOADABLE if loading else ResultStatus.DIED
    label = f"signal {ending.exit.signal}" if ending.exit.signal else f"exit code {ending.exit.code}"
    label = "time-out" if ending.is_timed_out else label
    notes = [ending.tail] if ending.tail else []
    kind = TimeoutError if ending.is_timed_out else MemoryError if ending.is_out_of_memory else RuntimeError
    return ChildOutcome(status, ending.phase, label), builtin_error(describe_death(ending), notes, kind)
