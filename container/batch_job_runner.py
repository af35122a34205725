"""The program inside the job: runs one task of a Scaler client and leaves a result frame in S3.

A standalone script (its siblings `batch_job_*.py`, boto3 and cloudpickle beside it; Python 3.10+), for single jobs and
array children. The client's code is loaded and called in a forked process only, so that however it ends (exit, signal,
out of memory), this process can report it, and no exit code of it can look like one of ours (`RunnerExit`).
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import batch_job_store
from batch_job_child import Payload
from batch_job_control import ChildOutcome, Phase
from batch_job_errors import builtin_error
from batch_job_frames import (
    BlobRef,
    FrameError,
    PayloadReader,
    TaskEntry,
)
from batch_job_memory import memory_limit
from batch_job_protocol import (
    CodeError,
    PayloadForm,
    PayloadFormError,
    RunnerExit,
    blob_key,
    bundle_name,
    fence_key,
    from_inline,
    payload_form,
    payload_key,
    result_key,
)
from batch_job_quoting import log, quote_foreign
from batch_job_results import (
    LONGEST_ERROR,
    LONGEST_MESSAGE,
    LONGEST_PLACE,
    SIGNED_BYTES,
    ResultMeta,
    ResultStatus,
    encode_result,
    is_signed,
)
from batch_job_settings import Settings, UsageError
from batch_job_store import MissingCredentials, MissingObject, Store, StoreError, provide_code
from batch_job_supervisor import Exit, ProcessEnding, SigtermGuard, Supervisor, Terminated, describe_death

RUNNER_VERSION: Final = "0.1.0"

_EXIT_CODES: Final = {ResultStatus.SUCCESS: RunnerExit.DONE, ResultStatus.UNLOADABLE: RunnerExit.UNLOADABLE}

MakeClient = Callable[[str | None], Any]


class _Unusable(Exception):
    """The task is known, but can't be loaded here; the text goes to the client."""


def main(argv: Sequence[str], environ: Mapping[str, str], make_client: MakeClient | None = None) -> int:
    """Run the job that `argv` and the AWS Batch variables of `environ` describe; returns its exit code.

    `make_client` makes the S3 client for a region. Must run in the main thread: it handles SIGTERM and SIGCHLD.
    """
    try:
        with SigtermGuard() as guard:
            settings = Settings.parse(argv, environ)
            client = (make_client or batch_job_store.make_client)(settings.region)
            store = Store(client, settings.bucket, settings.prefix, settings.patience_s, owner=settings.owner)
            return _run(settings, _Job(settings, store, guard))
    except Terminated:
        log(f"ended by SIGTERM, the function was not called: exit {RunnerExit.TRY_AGAIN:d}")
        return RunnerExit.TRY_AGAIN
    except StoreError as error:
        code = RunnerExit.TRY_AGAIN if error.recoverable else RunnerExit.REFUSED
        log(f"{error}: exit {code:d}")
        return code
    except (UsageError, FrameError, PayloadFormError) as error:
        log(f"can't tell which task to run: {error}: exit {RunnerExit.UNLOADABLE:d}")
        return RunnerExit.UNLOADABLE


def _run(settings: Settings, job: _Job) -> int:
    """Missing credentials are final when a second container lacks them, too: once, their service may have failed."""
    try:
        return job.run()
    except MissingCredentials as error:
        code = RunnerExit.TRY_AGAIN if settings.attempt == 1 else RunnerExit.REFUSED
        log(f"{error}: exit {code:d}")
        return code


class _Job:
    """One attempt of one job."""

    def __init__(self, settings: Settings, store: Store, guard: SigtermGuard) -> None:
        self._settings = settings
        self._store = store
        self._guard = guard
        self._code: tuple[str, ...] | None = None

    def run(self) -> int:
        settings = self._settings
        if self._store.exists(fence_key(settings.submission)):
            log(f"submission {settings.submission} was replaced by another, nothing to do")
            return RunnerExit.DONE
        reader = PayloadReader(self._fetch())
        entry = reader.entry(settings.index)
        key = result_key(settings.submission, entry.task_id)
        if settings.attempt > 1 and self._is_written(key, entry, reader.secret):
            log(f"task {entry.task_id.hex()}: an earlier attempt has written the result, nothing to do")
            return RunnerExit.DONE
        ending = self._ending(reader, entry)
        if self._guard.received and (ending.outcome is None or ending.outcome.status is not ResultStatus.SUCCESS):
            return self._terminated(ending)
        return self._write(key, entry, ending, reader.secret)

    def _is_written(self, key: str, entry: TaskEntry, secret: bytes) -> bool:
        """Whether an earlier attempt wrote the result. What another job wrote there is written over."""
        head = self._store.head(key, SIGNED_BYTES)
        if head is None or not secret or is_signed(head, entry.task_id, secret):
            return head is not None
        log(f"task {entry.task_id.hex()}: what lies at its result's key was not written by an attempt of this job")
        return False

    def _fetch(self) -> Callable[[int, int], bytes]:
        settings = self._settings
        if payload_form(settings.payload) is PayloadForm.BUNDLE:
            key = payload_key(bundle_name(settings.submission, settings.payload))
            return lambda offset, length: self._store.get_range(key, offset, length)
        frame = from_inline(settings.payload)
        return lambda offset, length: frame[offset : offset + length]

    def _ending(self, reader: PayloadReader, entry: TaskEntry) -> ProcessEnding:
        try:
            self._check_python()
            payload = self._payload(reader, entry)
        except (_Unusable, FrameError, MissingObject) as error:
            return _refused(f"the task can't be loaded in the container: {error}")
        size = sum(map(len, (payload.serializer, payload.function, *payload.arguments)))
        log(f"task {entry.task_id.hex()}: attempt {self._settings.attempt}, {size} bytes of payload")
        return Supervisor(self._guard, keep_output=entry.wants_output).run(payload)

    def _check_python(self) -> None:
        wanted, here = self._settings.python, "{}.{}".format(*sys.version_info[:2])
        if wanted is not None and wanted != here:
            raise _Unusable(f"the client runs Python {wanted}, the image {here}: give both the same")

    def _payload(self, reader: PayloadReader, entry: TaskEntry) -> Payload:
        def read(ref: BlobRef) -> bytes:
            return self._shared(ref) if ref.offset is None else reader.blob(ref)

        return Payload(
            read(entry.serializer),
            read(entry.function),
            tuple(map(read, entry.arguments)),
            entry.task_id,
            self._settings.scheduler,
            self._folders(),
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

    def _shared(self, ref: BlobRef) -> bytes:
        data = self._store.get(blob_key(ref.digest))
        if hashlib.sha256(data).hexdigest() != ref.digest:
            raise _Unusable(f"the shared object {ref.digest} was altered in S3 ({len(data)} bytes)")
        return data

    def _terminated(self, ending: ProcessEnding) -> int:
        called = ending.phase is not Phase.LOADING
        log(f"ended by SIGTERM, the function was {'interrupted' if called else 'not called'}, no result is written")
        return RunnerExit.TERMINATED if called else RunnerExit.TRY_AGAIN

    def _write(self, key: str, entry: TaskEntry, ending: ProcessEnding, secret: bytes) -> int:
        outcome, body = (ending.outcome, ending.body) if ending.outcome else _dead(ending)
        frame = encode_result(self._meta(entry, outcome, ending), body, secret)
        start = time.monotonic()
        try:
            self._store.put(key, frame)
        except StoreError as error:
            log(f"the function was called, and its result can't be written: {error}: exit {RunnerExit.UNWRITTEN:d}")
            return RunnerExit.UNWRITTEN
        code = _EXIT_CODES.get(outcome.status, RunnerExit.FUNCTION_FAILED)
        log(
            f"task {entry.task_id.hex()}: {outcome.status.value} ({outcome.label}) while {outcome.phase.value}, ran "
            f"{ending.duration_s:.3f} s, {len(frame)} bytes written in {time.monotonic() - start:.3f} s: exit {code:d}"
        )
        return code

    def _meta(self, entry: TaskEntry, outcome: ChildOutcome, ending: ProcessEnding) -> ResultMeta:
        return ResultMeta(
            task_id=entry.task_id.hex(),
            status=outcome.status,
            phase=outcome.phase.value,
            attempt=self._settings.attempt,
            started_at=ending.started_at,
            duration_s=ending.duration_s,
            cpu_s=ending.exit.cpu_s,
            peak_bytes=ending.exit.peak_bytes,
            python=platform.python_version(),
            exit_code=ending.exit.code,
            signal=ending.exit.signal,
            runner_version=RUNNER_VERSION,
            error=outcome.error[:LONGEST_ERROR],
            place=outcome.place[:LONGEST_PLACE],
            message=outcome.message[:LONGEST_MESSAGE],
            is_damaged=bool(ending.damage),
            is_out_of_memory=ending.is_out_of_memory,
            memory_limit=memory_limit(),
            **_printed(ending),
        )


def _refused(text: str) -> ProcessEnding:
    """The ending of a task that was never started."""
    outcome = ChildOutcome(ResultStatus.UNLOADABLE, Phase.LOADING, "refused")
    nothing = Exit(code=None, signal=None, cpu_s=0.0, peak_bytes=0)
    return ProcessEnding(outcome, builtin_error(text), Phase.LOADING, "", nothing, time.time(), 0.0)


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
    loading = ending.phase is Phase.LOADING
    status = ResultStatus.UNLOADABLE if loading else ResultStatus.DIED
    label = f"signal {ending.exit.signal}" if ending.exit.signal else f"exit code {ending.exit.code}"
    notes = [ending.tail] if ending.tail else []
    kind = MemoryError if ending.is_out_of_memory else RuntimeError
    return ChildOutcome(status, ending.phase, label), builtin_error(describe_death(ending), notes, kind)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
