"""Jobs that run nowhere: what they write is what a runner would."""

from __future__ import annotations

import pickle
import queue
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from container.batch_job_wire.payload_forms import to_bundle, to_inline
from container.batch_job_wire.payload_frames import Blob, encode_payload
from container.batch_job_wire.protocol import JobParameter, blob_key, bundle_name, fence_key, payload_key, result_key
from container.batch_job_wire.result_frames import decode_result, split_frames
from container.batch_job_wire.results import ResultStatus
from provisioner.local.http.server import HttpRequest, HttpResponse
from provisioner.local.processes.executor import JobLaunch
from provisioner.local.processes.fork_server.framing import Exited
from provisioner.local.processes.result_writer import ResultWriter

SECRET = bytes(range(32))
SUBMISSION = "ab" * 16
PLACE = "/bucket/prefix/"
CODE = (Blob.of(b"serializer"), Blob.of(b"function"))
TASKS = tuple(bytes([number]) * 16 for number in range(3))


@dataclass
class Bench:
    """A writer, the bucket that it writes to, and how its jobs ended."""

    objects: dict[str, bytes] = field(default_factory=dict)
    ends: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue)
    said: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.writer = ResultWriter(self.answer)

    def answer(self, request: HttpRequest) -> HttpResponse:
        if request.method == "PUT":
            self.objects[request.path] = request.body
        elif request.path not in self.objects:
            return HttpResponse(404)
        return HttpResponse(body=self.objects[request.path])

    def run(self, payload: str, index: int | None = None, options: str = "region=us-east-1") -> int:
        given = {
            JobParameter.STORE: "s3://bucket/prefix",
            JobParameter.SUBMISSION: SUBMISSION,
            JobParameter.PAYLOAD: payload,
            JobParameter.OPTIONS: options,
        }
        environ = {} if index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(index)}

        def ended(exited: Exited) -> None:
            self.ends.put(exited.code)

        argv = tuple(word for name, value in given.items() for word in (name.flag, value))
        self.writer.start(JobLaunch("job/1", "image", argv, environ, 0, self.said.append, ended, self.fail))
        return self.ends.get(timeout=10)

    def fail(self, reason: str) -> None:
        raise AssertionError(reason)

    def result(self, task_id: bytes) -> bytes:
        """Its body; raises when another than a job of the submission wrote it."""
        meta, body = decode_result(self.objects[PLACE + result_key(SUBMISSION, task_id)], task_id, SECRET)
        assert meta.status is ResultStatus.SUCCESS
        return body


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.writer.close()


def frame(arguments: Sequence[Sequence[Blob]], external: Sequence[str] = ()) -> bytes:
    tasks = [(task_id, (*CODE, *own)) for task_id, own in zip(TASKS, arguments, strict=False)]
    return encode_payload(tasks, external, SECRET)


def test_the_result_is_the_first_argument_signed_for_its_task(bench: Bench) -> None:
    assert bench.run(to_inline(frame([[Blob.of(b"first"), Blob.of(b"second")]]))) == 0
    assert bench.result(TASKS[0]) == b"first"


def test_a_task_without_arguments_returns_none(bench: Bench) -> None:
    bench.run(to_inline(frame([[]])))
    assert pickle.loads(bench.result(TASKS[0])) is None


def test_each_child_of_an_array_writes_its_own(bench: Bench) -> None:
    text = to_bundle(bytes(16))
    bench.objects[PLACE + payload_key(bundle_name(SUBMISSION, text))] = frame([[Blob.of(b"a")], [Blob.of(b"b")]])
    assert [bench.run(text, index) for index in (1, 0)] == [0, 0]
    assert [bench.result(task_id) for task_id in TASKS[:2]] == [b"a", b"b"]


@pytest.mark.parametrize(("index", "written"), [(0, TASKS[:2]), (1, TASKS[2:]), (None, TASKS)])
def test_a_packed_job_writes_what_is_its_own(bench: Bench, index: int | None, written: tuple[bytes, ...]) -> None:
    bench.run(to_inline(frame([[], [], []])), index, "region=us-east-1;pack=2")
    assert sorted(bench.objects) == sorted(PLACE + result_key(SUBMISSION, task_id) for task_id in written)


def test_a_packed_job_that_may_writes_its_small_results_together(bench: Bench) -> None:
    large = Blob.of(bytes(100_000))
    bench.run(to_inline(frame([[], [large], []])), None, "region=us-east-1;pack=3;segments=1")
    names = {path.rpartition("/")[2].rpartition("-") for path in bench.objects}
    assert {before or name for before, _, name in names} == {"0-1-1", TASKS[1].hex(), "2-1-3"}


def test_each_result_in_a_segment_is_signed_for_its_task(bench: Bench) -> None:
    bench.run(to_inline(frame([[Blob.of(b"a")], [], [Blob.of(b"c")]])), 0, "pack=2;segments=1")
    [data] = bench.objects.values()
    bodies = [decode_result(one, task, SECRET)[1] for one, task in zip(split_frames(data, 2), TASKS, strict=False)]
    assert bodies == [b"a", pickle.dumps(None)]


def test_an_argument_that_submissions_share_is_fetched(bench: Bench) -> None:
    shared = Blob.of(b"shared")
    bench.objects[PLACE + blob_key(shared.digest)] = bytes(shared.data)
    bench.run(to_inline(frame([[shared]], [shared.digest])))
    assert bench.result(TASKS[0]) == b"shared"


def test_a_fenced_submission_does_nothing(bench: Bench) -> None:
    bench.objects[PLACE + fence_key(SUBMISSION)] = b""
    assert bench.run(to_inline(frame([[]]))) == 0
    assert PLACE + result_key(SUBMISSION, TASKS[0]) not in bench.objects


def test_a_job_killed_before_its_turn_writes_nothing(bench: Bench) -> None:
    bench.writer.kill("job/1", 9, whole=True)
    assert bench.run(to_inline(frame([[]]))) == 137
    assert not bench.objects


def test_what_cannot_be_read_fails_as_in_the_runner_and_says_why(bench: Bench) -> None:
    assert bench.run(to_inline(b"no frame"), 0) == 2
    assert bench.said[0].startswith(b"FrameError")
