"""Executor that runs no process: each job's result is written at once, signed as the runner would.

For measuring a manager alone: jobs cost next to nothing. A task's result is its first argument, as it was serialized;
a task without one returns None. https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
"""

from __future__ import annotations

import pickle
import platform
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from container.batch_job_wire.payload_forms import PayloadForm, PayloadFormError, from_inline, payload_form
from container.batch_job_wire.payload_frames import FrameError, PayloadReader, TaskEntry, task_ids
from container.batch_job_wire.protocol import (
    SEGMENTS,
    JobParameter,
    RunnerExit,
    blob_key,
    bundle_name,
    fence_key,
    job_options,
    payload_key,
    result_key,
)
from container.batch_job_wire.result_frames import encode_result
from container.batch_job_wire.result_segments import (
    MAX_SEGMENT_BYTES,
    SEGMENT_RESULT_BYTES,
    SEGMENT_RESULTS,
    ResultSegment,
    segment_key,
)
from container.batch_job_wire.results import ResultMeta, ResultStatus
from provisioner.local.http.server import HttpRequest, HttpResponse
from provisioner.local.processes.executor import JobLaunch
from provisioner.local.processes.fork_server.framing import Exited

NONE: Final = pickle.dumps(None)
VERSION: Final = "0-no-jobs"
KEPT_FRAMES: Final = 4
"""Of the submissions that came last; each child of an array needs its frame again."""

AnswerS3 = Callable[[HttpRequest], HttpResponse]


class S3Refusal(Exception):
    """S3 doesn't do what a job needs."""


class ResultWriter:
    """Executor of jobs without processes; `s3` answers the calls that the runner would make.

    One thread, one job after the other; callbacks come on it. A job that is killed before its turn does nothing.
    """

    def __init__(self, s3: AnswerS3) -> None:
        self._s3 = s3
        self._frames: dict[str, bytes] = {}
        self._waiting: queue.SimpleQueue[JobLaunch | None] = queue.SimpleQueue()
        self._killed: dict[str, int] = {}
        self._thread = threading.Thread(target=self._work, name="results", daemon=True)
        self._thread.start()

    def wait_ready(self) -> None:
        """It always is."""

    def start(self, launch: JobLaunch) -> None:
        """Run one attempt; see `JobExecutor`."""
        self._waiting.put(launch)

    def kill(self, key: str, signum: int, *, whole: bool) -> None:
        """Signal a job; see `JobExecutor`. One whose turn has come is not interrupted."""
        self._killed[key] = signum

    def caller(self, port: int) -> str | None:
        """Nothing: no job makes a call."""
        return None

    def close(self) -> None:
        """Write nothing any more."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (launch := self._waiting.get()) is not None:
            signum = self._killed.pop(launch.key, None)
            code = self._run(launch) if signum is None else 128 + signum
            launch.on_exit(Exited(launch.key, code, out_of_memory=False))
            self._killed.pop(launch.key, None)

    def _run(self, launch: JobLaunch) -> int:
        try:
            return self._write_results(_arguments(launch.argv), launch.environ)
        except (FrameError, PayloadFormError, S3Refusal, KeyError, ValueError) as error:
            launch.on_output(f"{type(error).__name__}: {error}\n".encode())
            return RunnerExit.UNLOADABLE

    def _write_results(self, given: Mapping[JobParameter, str], environ: Mapping[str, str]) -> int:
        place, submission = given[JobParameter.STORE].removeprefix("s3://"), given[JobParameter.SUBMISSION]
        if self._s3(HttpRequest("HEAD", f"/{place}/{fence_key(submission)}")).status == 200:
            return RunnerExit.DONE
        frame = self._frame(place, submission, given[JobParameter.PAYLOAD])
        reader = PayloadReader(lambda offset, length: frame[offset : offset + length])
        attempt = int(environ.get("AWS_BATCH_JOB_ATTEMPT", "1"))
        gathered: list[bytes] = []
        places = _entries(given[JobParameter.OPTIONS], environ, frame)
        for place_in_frame in places:
            entry = reader.entry(place_in_frame)
            body = self._body(reader, entry, place)
            result = bytes(encode_result(_meta(entry, attempt), body, reader.secret))
            is_large = len(result) > SEGMENT_RESULT_BYTES
            if is_large or job_options(given[JobParameter.OPTIONS]).get(SEGMENTS) != "1":
                self._put(f"/{place}/{result_key(submission, entry.task_id)}", result)
            else:
                gathered.append(result)
            if is_large or _is_full(gathered) or place_in_frame + 1 == places.stop:
                end = place_in_frame + (not is_large)
                segment = ResultSegment(end - len(gathered), len(gathered), max(1, end))
                self._put_segment(f"/{place}", submission, segment.sealed(submission, reader.secret), gathered)
        return RunnerExit.DONE

    def _put_segment(self, place: str, submission: str, segment: ResultSegment, results: list[bytes]) -> None:
        """All are of one moment, which is why they go together."""
        if results:
            self._put(f"{place}/{segment_key(submission, segment)}", b"".join(results))
            results.clear()

    def _put(self, path: str, body: bytes) -> None:
        status = self._s3(HttpRequest("PUT", path, body=body)).status
        if status != 200:
            raise S3Refusal(f"{path} can't be written: {status}")

    def _frame(self, place: str, submission: str, payload: str) -> bytes:
        key = f"{place}/{submission}"
        if key not in self._frames:
            while len(self._frames) >= KEPT_FRAMES:
                del self._frames[next(iter(self._frames))]
            self._frames[key] = self._fetch(place, submission, payload)
        return self._frames[key]

    def _fetch(self, place: str, submission: str, payload: str) -> bytes:
        if payload_form(payload) is PayloadForm.BUNDLE:
            return self._get(f"/{place}/{payload_key(bundle_name(submission, payload))}")
        return from_inline(payload)

    def _body(self, reader: PayloadReader, entry: TaskEntry, place: str) -> bytes:
        if not entry.arguments:
            return NONE
        first = entry.arguments[0]
        return self._get(f"/{place}/{blob_key(str(first.digest))}") if first.offset is None else reader.blob(first)

    def _get(self, path: str) -> bytes:
        answer = self._s3(HttpRequest("GET", path))
        if answer.status != 200:
            raise S3Refusal(f"{path} can't be read: {answer.status}")
        return answer.body


def _is_full(results: Sequence[bytes]) -> bool:
    return len(results) == SEGMENT_RESULTS or sum(map(len, results)) > MAX_SEGMENT_BYTES // 2


def _arguments(argv: Sequence[str]) -> dict[JobParameter, str]:
    given = dict(zip(argv[::2], argv[1::2], strict=False))
    return {parameter: given[parameter.flag] for parameter in JobParameter}


def _entries(options: str, environ: Mapping[str, str], frame: bytes) -> range:
    """Places in the frame of the tasks that the job runs: one, or as many as its option `pack` says."""
    pack = dict(text.partition("=")[::2] for text in options.split(";")).get("pack")
    index = environ.get("AWS_BATCH_JOB_ARRAY_INDEX")
    if pack is None:
        return range(int(index or 0), int(index or 0) + 1)
    tasks = len(task_ids(frame))
    first = int(index or 0) * int(pack)
    return range(first, tasks if index is None else min(first + int(pack), tasks))


def _meta(entry: TaskEntry, attempt: int) -> ResultMeta:
    return ResultMeta(
        task_id=entry.task_id.hex(),
        status=ResultStatus.SUCCESS,
        phase="returning",
        attempt=attempt,
        started_at=time.time(),
        duration_s=0.0,
        cpu_s=0.0,
        peak_bytes=0,
        python=platform.python_version(),
        exit_code=0,
        signal=None,
        runner_version=VERSION,
    )
