"""Results of a pack that come fast go together; their names announce what may be called meanwhile."""

from __future__ import annotations

import importlib
import os
import pickle
import threading
from pathlib import Path
from typing import Any, Final

import pytest

from container.batch_job_wire.protocol import mark_key, result_key
from container.batch_job_wire.result_frames import decode_result, split_frames, told_task_id
from container.batch_job_wire.result_segments import SEGMENT_RESULT_BYTES, SEGMENT_RESULTS, ResultSegment, parse_segment
from container.batch_job_wire.results import ResultMeta, ResultStatus
from tests.support.cases import first_now
from tests.support.paths import CONTAINER
from tests.support.runner.client import STORE
from tests.support.runner.forked_jobs import KILLED, ForkedJobs
from tests.support.runner.packs import DEADLY, SECRET, SQUARE, SUBMISSION, TERMINATING, frame_of, job, task_id
from tests.support.runner.s3_stand_in import Refusal, S3StandIn

FAST: Final = "region=us-east-1;patience=0;pack=64;segments=1"
FOLDER: Final = f"/{STORE}/results/{SUBMISSION}/"
HELD: Final = "from batch_job_pack import segments; segments.GATHER_S = segments.LATEST_S = 1000.0"
"""Time is no reason to write, and a first result announces all that follows."""


def written(s3: S3StandIn) -> list[ResultSegment | str]:
    """The names of what was written, in order; of a single result its task's number."""
    names = [path.removeprefix(FOLDER) for method, path in s3.requests if method == "PUT" and path.startswith(FOLDER)]
    return [parse_segment(name) or str(int(name[:2], 16) - 1) for name in names]


def results_of(s3: S3StandIn) -> dict[int, tuple[ResultMeta, Any]]:
    """What was written, by the number of the task."""
    found = {}
    for path, data in s3.objects.items():
        segment = parse_segment(path.removeprefix(FOLDER)) if path.startswith(FOLDER) else None
        frames = [data] if segment is None else split_frames(data, segment.results)
        for frame in frames if path.startswith(FOLDER) else ():
            told = told_task_id(frame)
            assert told is not None
            meta, body = decode_result(frame, told, SECRET)
            found[told[0] - 1] = (meta, pickle.loads(body) if body else None)
    return dict(sorted(found.items()))


def names(*segments: tuple[int, int, int]) -> list[ResultSegment | str]:
    return [ResultSegment(*one).sealed(SUBMISSION, SECRET) for one in segments]


def test_the_first_result_of_a_pack_goes_at_once_and_those_that_follow_fast_together(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(8)), options=FAST)], HELD)
    assert (code, written(s3)) == (0, names((0, 1, 8), (1, 7, 8))), log
    assert [value for _, value in results_of(s3).values()] == [n * n for n in range(8)]


def test_without_the_option_each_result_goes_by_itself(s3: S3StandIn, jobs: ForkedJobs) -> None:
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(3)), options="region=us-east-1;pack=3")], HELD)
    assert (code, written(s3)) == (0, ["0", "1", "2"]), log


def test_a_role_that_may_not_list_writes_each_result_by_itself(s3: S3StandIn, jobs: ForkedJobs) -> None:
    s3.refusals.append(Refusal("GET", "list-type", 403, "AccessDenied"))
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(3)), options=FAST)], HELD)
    assert (code, written(s3)) == (0, ["0", "1", "2"]), log


@pytest.mark.parametrize("deadly", first_now(range(4)))
def test_what_was_called_when_a_job_dies_was_announced_and_the_next_attempt_begins_at_the_first_hole(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path, deadly: int
) -> None:
    mark = tmp_path / "mark"
    frame = frame_of(DEADLY, [(n, deadly, str(mark)) for n in range(4)])
    (first, _), (second, log) = jobs.run(
        s3.endpoint, [job(frame, options=FAST), job(frame, options=FAST, attempt=2)], HELD
    )
    assert (first, second) == (KILLED + 9, 0), log
    attempts = [meta.attempt for meta, _ in results_of(s3).values()]
    assert attempts == ([2] * 4 if deadly == 0 else [1, 2, 2, 2])
    calls = [int(one) for one in mark.with_suffix(".calls").read_text()]
    again = {one for one in calls if calls.count(one) > 1}
    assert again == set(range(1, deadly))  # the first result was written, and announced the others


def test_another_attempt_passes_over_what_a_segment_holds_and_calls_what_another_job_wrote_there(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    frame = frame_of(SQUARE, range(4))
    jobs.run(s3.endpoint, [job(frame, options=FAST)], HELD)
    [path] = [path for path in s3.objects if "/1-3-4-" in path]
    frames = split_frames(s3.objects[path], 3)
    s3.objects[path] = frames[0] + frames[1][:40] + bytes(1) + frames[1][41:] + frames[2]
    s3.requests.clear()
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=FAST, attempt=2)], HELD)
    assert (code, written(s3)) == (0, ["2"]), log
    assert sum(path.startswith((f"{FOLDER}1-3-4-", f"{FOLDER}0-1-4-")) for _, path in s3.requests) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["fine", "fine", "interrupted", "fine"], 143, [0, 1]),
        (["fine", "fine", "last words", "fine"], 75, [0, 1, 2]),
        (["interrupted"], 143, []),
    ],
)
def test_at_sigterm_what_waits_is_written_and_nothing_but_the_running_entry_counts_as_called(
    s3: S3StandIn, jobs: ForkedJobs, arguments: list[str], code: int, expected: list[int]
) -> None:
    [(ended, log)] = jobs.run(s3.endpoint, [job(frame_of(TERMINATING, arguments), options=FAST)], HELD)
    announced = [one.until for one in written(s3) if isinstance(one, ResultSegment)][-1:]
    assert (ended, sorted(results_of(s3))) == (code, expected), log
    assert all(until <= len(expected) + 1 for until in announced)


WAITING: Final = """
def f(url):
    from urllib.request import urlopen
    while url and urlopen(url).read().count(b"<Key>") < 2:
        pass
"""


def test_results_are_not_kept_back_for_longer_than_a_second_while_the_next_entry_runs(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    prelude = "from batch_job_pack import segments; segments.GATHER_S = 1000.0; segments.LATEST_S = 0.5"
    bucket, _, prefix = FOLDER.strip("/").partition("/")
    url = f"{s3.endpoint}/{bucket}?list-type=2&prefix={prefix}"
    frame = frame_of(WAITING, ["", "", url, ""])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=f"{FAST};timeout=60")], prelude)
    statuses = [meta.status.value for meta, _ in results_of(s3).values()]
    assert (code, statuses) == (0, ["success"] * 4), log


def test_a_refused_segment_ends_the_job_as_unwritten(s3: S3StandIn, jobs: ForkedJobs) -> None:
    s3.refusals.append(Refusal("PUT", f"results/{SUBMISSION}/1-", 403, "AccessDenied"))
    prelude = (
        f"{HELD}; import batch_job_store; batch_job_store._PATIENCE_S = 0.0; batch_job_store._FIRST_PAUSE_S = 0.01"
    )
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)), options=FAST)], prelude)
    assert (code, sorted(results_of(s3))) == (77, [0]), log


def test_a_cancelled_entry_says_so_in_a_segment(s3: S3StandIn, jobs: ForkedJobs) -> None:
    s3.objects[f"/{STORE}/{mark_key(SUBMISSION, task_id(2))}"] = b""
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)), options=FAST)], HELD)
    statuses = [meta.status for meta, _ in results_of(s3).values()]
    done = ResultStatus.SUCCESS
    assert (code, statuses) == (0, [done, done, ResultStatus.SKIPPED, done]), log


MARKING: Final = """
def f(urls):
    from urllib.request import Request, urlopen
    for url in urls:
        urlopen(Request(url, data=b"", method="PUT")).close()
"""


def test_marks_are_listed_once_for_the_entries_that_are_announced_together(s3: S3StandIn, jobs: ForkedJobs) -> None:
    s3.objects[f"/{STORE}/{mark_key(SUBMISSION, task_id(5))}"] = b""
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(8)), options=FAST)], HELD)
    looks = [path for _, path in s3.requests if f"/fence/{SUBMISSION}/" in path]
    assert (code, looks) == (0, [f"/{STORE}/{mark_key(SUBMISSION, task_id(0))}"]), log
    assert results_of(s3)[5][0].status is ResultStatus.SKIPPED


def test_a_mark_that_comes_after_its_entry_was_announced_is_late_and_one_beyond_the_announcement_is_seen(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    late, seen = (f"{s3.endpoint}/{STORE}/{mark_key(SUBMISSION, task_id(number))}" for number in (2, 3))
    prelude = f"{HELD}; segments.SEGMENT_RESULTS = 2"
    frame = frame_of(MARKING, [[], [late, seen], [], [], []])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=FAST)], prelude)
    statuses = [meta.status.value for meta, _ in results_of(s3).values()]
    assert (code, written(s3)[:2]) == (0, names((0, 1, 3), (1, 2, 5))), log
    assert statuses == ["success", "success", "success", "skipped", "success"]


def test_a_role_that_may_list_results_alone_looks_for_the_mark_of_each_entry(s3: S3StandIn, jobs: ForkedJobs) -> None:
    s3.refusals.append(Refusal("GET", "fence%2F", 403, "AccessDenied"))
    s3.objects[f"/{STORE}/{mark_key(SUBMISSION, task_id(2))}"] = b""
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)), options=FAST)], HELD)
    statuses = [meta.status.value for meta, _ in results_of(s3).values()]
    assert (code, statuses) == (0, ["success", "success", "skipped", "success"]), log
    assert log.count("grant s3:ListBucket") == 1


# ---- the writer, by its clock


class Bench:
    """A writer for a pack of a thousand, the time, and what it wrote."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, end: int = 1_000) -> None:
        monkeypatch.syspath_prepend(str(CONTAINER))
        pack = importlib.import_module("batch_job_pack.segments")  # as the runner imports it
        self.now = 0.0
        self.names: list[str] = []
        self.failure: Exception | None = None
        self.writer = pack.SegmentWriter(
            self._put, SUBMISSION, SECRET, end, may_gather=lambda: True, clock=lambda: self.now
        )

    def _put(self, key: str, data: bytes | bytearray) -> None:
        if self.failure is not None:
            raise self.failure
        name = key.rpartition("/")[2]
        segment = parse_segment(name)
        assert segment is None or segment.is_sealed(SUBMISSION, SECRET)
        self.names.append(name if segment is None else name.rpartition("-")[0])

    def finish(self, place: int, seconds: float, size: int = 10) -> None:
        """An entry that took so long has its result."""
        self.writer.settle(place)
        self.now += seconds
        self.writer.add(place, task_id(place % 200), bytes(size))

    def beat(self, *, is_ending: bool = False) -> float | None:
        due: float | None = self.writer.beat(is_ending=is_ending)
        for thread in threading.enumerate():
            if thread.name == "results":
                thread.join()
        return due


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def single(place: int) -> str:
    return result_key("", task_id(place)).rpartition("/")[2]


@pytest.mark.parametrize("seconds", [0.25, 2.0])
def test_results_that_do_not_come_fast_go_by_themselves(bench: Bench, seconds: float) -> None:
    for place in range(3):
        bench.finish(place, seconds)
    assert bench.names == [single(n) for n in range(3)]


def test_fast_results_go_when_a_second_is_over(bench: Bench) -> None:
    bench.finish(0, 0.0625)
    for place in range(1, 20):
        bench.finish(place, 0.125)
    assert bench.names == ["0-1-17", "1-8-17", "9-8-25"]


def test_no_entry_is_called_past_what_was_announced_while_results_wait(bench: Bench) -> None:
    bench.finish(0, 0.125)  # eight in a second
    for place in range(1, 12):
        bench.finish(place, 0.0078125)
    assert bench.names == ["0-1-9", "1-8-137"]


def test_a_full_segment_goes_at_once(bench: Bench) -> None:
    for place in range(SEGMENT_RESULTS + 2):
        bench.finish(place, 0.0001)
    assert bench.names == [f"0-1-{SEGMENT_RESULTS + 1}", f"1-{SEGMENT_RESULTS}-{2 * SEGMENT_RESULTS + 1}"]


def test_segments_stay_small_and_a_large_result_goes_by_itself(bench: Bench) -> None:
    bench.finish(0, 0.001)
    for place in range(1, 20):
        bench.finish(place, 0.001, SEGMENT_RESULT_BYTES)
    bench.finish(20, 0.001, SEGMENT_RESULT_BYTES + 1)
    assert bench.names == ["0-1-257", "1-16-273", "17-3-20", single(20)]


def test_the_last_result_of_a_pack_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, end=3)
    for place in range(3):
        bench.finish(place, 0.001)
    assert bench.names == ["0-1-3", "1-2-3"]


def test_what_waits_while_an_entry_runs_is_written_after_a_second_and_only_that_entry_announced(bench: Bench) -> None:
    bench.finish(0, 0.01)
    bench.finish(1, 0.01)
    bench.writer.settle(2)
    bench.now += 0.5
    before = bench.beat()
    assert bench.names == ["0-1-101"]
    bench.now += 0.8
    bench.beat()
    assert before == pytest.approx(0.74)
    assert bench.names == ["0-1-101", "1-1-3"]


def test_an_entry_that_runs_long_takes_back_what_was_announced_beyond_it(bench: Bench) -> None:
    bench.finish(0, 0.01)
    bench.writer.settle(1)
    bench.now += 1.3
    assert (bench.beat(), bench.beat()) == (None, None)
    assert bench.names == ["0-1-101", "1-0-2"]


def test_a_failed_write_beside_an_entry_comes_out_of_the_next_call_and_is_not_repeated(bench: Bench) -> None:
    bench.finish(0, 0.01)
    bench.finish(1, 0.01)
    bench.failure = OSError("refused")
    bench.beat(is_ending=True)
    bench.failure = None
    for act in (lambda: bench.writer.add(2, task_id(2), b""), bench.writer.finish):
        with pytest.raises(OSError, match="refused"):
            act()
    assert bench.names == ["0-1-101"]


def test_results_behind_one_that_was_there_already_begin_another_segment(bench: Bench) -> None:
    for place in (0, 1, 2):
        bench.finish(place, 0.01)
    bench.writer.settle(3)  # written by an earlier attempt
    bench.finish(4, 0.01)
    bench.writer.finish()
    assert bench.names == ["0-1-101", "1-2-103", "4-1-5"]


@pytest.mark.parametrize(
    "name", ["", "1-2", "01-1-3", "1-257-258", "5-1-5", "5-1-263", "1-1-a", "٣-1-9", "0" * 32, "1-1-2/", "-1-1-3"]
)
def test_a_name_that_no_runner_gives_is_no_segment(name: str) -> None:
    assert parse_segment(f"{name}-{'a' * 16}") is None
    assert parse_segment(name) is None


def test_a_segment_is_of_who_knows_the_secret_and_of_nothing_else() -> None:
    segment = ResultSegment(3, 2, 9).sealed(SUBMISSION, SECRET)
    assert parse_segment(segment.name) == segment
    others = [
        segment._replace(first=4),
        segment._replace(results=1),
        segment._replace(until=8),
        segment._replace(proof=""),
    ]
    assert segment.is_sealed(SUBMISSION, SECRET)
    assert not any(one.is_sealed(SUBMISSION, SECRET) for one in others)
    assert not segment.is_sealed("6" * 32, SECRET)


def test_frames_of_a_damaged_segment_are_cut_as_far_as_they_tell_their_length() -> None:
    assert split_frames(b"", 2) == [b"", b""]
    assert split_frames(os.urandom(30), 2) == [b"", b""]
    assert told_task_id(b"x" * 200) is None
