"""Packs: a job runs entries of its submission in order, each in a process of its own with a result of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from container.batch_job_wire.payload_forms import to_bundle
from container.batch_job_wire.payload_frames import Blob, encode_payload, task_ids
from container.batch_job_wire.protocol import RunnerExit, mark_key, result_key
from container.batch_job_wire.results import ResultStatus
from tests.support.cases import first_now
from tests.support.runner.client import STORE, dumps, payload
from tests.support.runner.forked_jobs import KILLED, ForkedJobs
from tests.support.runner.packs import (
    DEADLY,
    PACK,
    SECRET,
    SQUARE,
    SUBMISSION,
    TERMINATING,
    by_value,
    frame_of,
    job,
    result_of,
    task_id,
)
from tests.support.runner.s3_stand_in import Refusal, S3StandIn

TOKEN: Final = bytes(range(16))
BUNDLE: Final = f"/{STORE}/payloads/{SUBMISSION}-{TOKEN.hex()}"

pytestmark = pytest.mark.usefixtures("template_or_none")


def written(s3: S3StandIn) -> list[int]:
    """The entries that have a result, in the order in which those were written."""
    paths = [path for method, path in s3.requests if method == "PUT"]
    return [int(path.rpartition("/")[2][:2], 16) - 1 for path in paths if path in s3.objects]


@pytest.mark.parametrize(
    ("index", "options", "expected"),
    [(0, PACK, [0, 1, 2, 3]), (1, PACK, [4, 5]), (None, PACK, [0, 1, 2, 3, 4, 5])],
    ids=["first child", "last child", "single job"],
)
def test_a_child_runs_its_entries_in_order_and_each_has_its_result(
    s3: S3StandIn, jobs: ForkedJobs, index: int | None, options: str, expected: list[int]
) -> None:
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(6)), index=index, options=options)])
    assert (code, written(s3)) == (0, expected), log
    assert [result_of(s3, n)[1] for n in expected] == [n * n for n in expected]


def test_a_pack_reads_bundle_fence_and_shared_objects_once(s3: S3StandIn, jobs: ForkedJobs) -> None:
    big = Blob.of(dumps(b"x" * 100_000))
    blobs = [*payload(by_value("def f(a, b): return len(a) + len(b)"), ()), big]
    tasks = [(task_id(n), [*blobs, Blob.of(dumps(bytes([n]) * 20_000))]) for n in range(8)]
    s3.objects[BUNDLE] = encode_payload(tasks, {big.digest}, SECRET, is_packed=True)
    shared = f"/{STORE}/objects/{big.digest}"
    s3.objects[shared] = bytes(big.data)
    [(code, log)] = jobs.run(s3.endpoint, [job(b"", payload=to_bundle(TOKEN), index=1)])
    assert (code, written(s3)) == (0, [4, 5, 6, 7]), log
    assert result_of(s3, 7)[1] == 120_000
    reads = [path for method, path in s3.requests if method == "GET"]
    assert (reads.count(BUNDLE), reads.count(shared), reads.count(f"/{STORE}/fence/{SUBMISSION}")) == (2, 1, 1)


FAILING: Final = """
def f(x):
    import os, signal
    if x == "raise":
        raise ValueError(x)
    if x == "exit":
        os._exit(3)
    if x == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    return x
"""


def test_an_entry_that_fails_costs_its_mates_nothing_and_the_job_succeeds(s3: S3StandIn, jobs: ForkedJobs) -> None:
    frame = frame_of(FAILING, ["raise", "exit", "crash", "fine"])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame)])
    assert (code, [result_of(s3, n)[0].status.value for n in range(4)]) == (
        0,
        ["exception", "died", "died", "success"],
    ), log


def test_an_entry_whose_row_or_record_is_damaged_fails_alone(s3: S3StandIn, jobs: ForkedJobs) -> None:
    frame = bytearray(frame_of(SQUARE, range(4)))
    for number, place in ((1, 16), (2, 31)):  # of a row: in the record's offset, in its length
        at = frame.index(task_id(number)) + place
        frame[at] ^= 1
    [(code, log)] = jobs.run(s3.endpoint, [job(bytes(frame))])
    statuses = [result_of(s3, n)[0].status for n in range(4)]
    assert (code, statuses) == (0, [ResultStatus.SUCCESS, *[ResultStatus.UNLOADABLE] * 2, ResultStatus.SUCCESS]), log
    assert "the record of task" in str(result_of(s3, 1)[1])


@pytest.mark.parametrize("deadly", first_now(range(4)))
def test_an_attempt_after_a_death_at_an_entry_starts_at_the_first_hole(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path, deadly: int
) -> None:
    mark = tmp_path / "mark"
    frame = frame_of(DEADLY, [(n, deadly, str(mark)) for n in range(4)])
    (first, _), (second, log) = jobs.run(s3.endpoint, [job(frame), job(frame, attempt=2)])
    assert (first, second) == (KILLED + 9, 0), log
    assert (mark.with_suffix(".calls").read_text(), written(s3)) == ("0123", [0, 1, 2, 3])
    assert [result_of(s3, n)[0].attempt for n in range(4)] == [1] * deadly + [2] * (4 - deadly)


def test_another_attempt_asks_for_signatures_of_those_results_alone_that_a_listing_shows(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    frame = frame_of(SQUARE, range(4))
    there, forged, *absent = (f"/{STORE}/{result_key(SUBMISSION, task_id(n))}" for n in range(4))
    jobs.run(s3.endpoint, [job(frame)])
    s3.objects[forged] = b"forged"
    for path in absent:
        del s3.objects[path]
    s3.requests.clear()
    [(code, _)] = jobs.run(s3.endpoint, [job(frame, attempt=2)])
    assert (code, written(s3)) == (0, [1, 2, 3])
    assert [path for method, path in s3.requests if method == "GET" and "/results/" in path] == [there, forged]


@pytest.mark.long
def test_another_attempt_that_may_not_list_asks_for_each_result(s3: S3StandIn, jobs: ForkedJobs) -> None:
    frame = frame_of(SQUARE, range(3))
    jobs.run(s3.endpoint, [job(frame)])
    s3.objects.pop(f"/{STORE}/{result_key(SUBMISSION, task_id(1))}")
    s3.requests.clear()
    s3.refusals.append(Refusal("GET", "list-type", 403, "AccessDenied"))
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, attempt=2)])
    assert (code, written(s3), "grant s3:ListBucket" in log) == (0, [1], True)


@pytest.mark.parametrize("marked", first_now([[0], [1], [3], [0, 1, 2, 3]]))
def test_an_entry_with_a_mark_never_starts_and_says_so(s3: S3StandIn, jobs: ForkedJobs, marked: list[int]) -> None:
    for number in marked:
        s3.objects[f"/{STORE}/{mark_key(SUBMISSION, task_id(number))}"] = b""
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)))])
    found = [(result_of(s3, n)[0].status, result_of(s3, n)[1]) for n in range(4)]
    skipped, done = (ResultStatus.SKIPPED, None), ResultStatus.SUCCESS
    assert (code, found) == (0, [skipped if n in marked else (done, n * n) for n in range(4)]), log


MARKING: Final = """
def f(x):
    from urllib.request import Request, urlopen
    for url in x:
        urlopen(Request(url, data=b"", method="PUT")).close()
"""


def test_a_mark_that_is_set_while_a_mate_runs_is_seen(s3: S3StandIn, jobs: ForkedJobs) -> None:
    mark = f"{s3.endpoint}/{STORE}/{mark_key(SUBMISSION, task_id(1))}"
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(MARKING, [[mark], [], []]))])
    statuses = [result_of(s3, n)[0].status.value for n in range(3)]
    assert (code, statuses) == (0, ["success", "skipped", "success"]), log


SLEEPY: Final = """
def f(x):
    import os, signal, sys
    if x == "still":
        if os.fork() == 0:
            with open("/dev/null"):
                signal.pause()
        signal.pthread_sigmask(signal.SIG_BLOCK, {15})
        signal.pause()
    return x
"""


def test_an_entry_that_runs_into_its_time_out_is_killed_with_its_group_and_its_mates_go_on(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    frame = frame_of(SLEEPY, ["a", "still", "b"])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=f"{PACK};timeout=1")])
    metas = [result_of(s3, n)[0] for n in range(3)]
    assert (code, [meta.is_timed_out for meta in metas]) == (0, [False, True, False]), log
    assert (metas[1].status, metas[1].signal) == (ResultStatus.DIED, 9)
    error = result_of(s3, 1)[1]
    assert type(error) is TimeoutError
    assert "did not end within the time-out" in str(error)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["fine", "interrupted", "fine"], (143, [0])),
        (["fine", "last words", "fine"], (75, [0, 1])),
        (["fine", "last words"], (0, [0, 1])),
    ],
)
def test_sigterm_ends_the_running_entry_in_its_grace_and_no_later_one_is_started(
    s3: S3StandIn, jobs: ForkedJobs, arguments: list[str], expected: tuple[int, list[int]]
) -> None:
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(TERMINATING, arguments))])
    assert (code, written(s3)) == expected, log


FORGING: Final = """
def f(x):
    import os, sys
    (os._exit if x[0] == "process" else sys.exit)(x[1])
"""
FORGED: Final = [(how, code.value) for how in ("process", "program") for code in RunnerExit]


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_function_that_ends_with_a_code_of_the_runners_own_is_one_that_was_called(
    s3: S3StandIn, jobs: ForkedJobs, is_packed: bool
) -> None:
    """Of a job that says that it called nothing the tasks would be sent again."""
    frame = frame_of(FORGING, FORGED, is_packed=is_packed)
    options = PACK.replace("pack=4", f"pack={len(FORGED)}") if is_packed else "region=us-east-1;patience=0"
    children = [0] if is_packed else range(len(FORGED))
    ended = jobs.run(s3.endpoint, [job(frame, index=index, options=options) for index in children])
    assert {code for code, _ in ended} == {0 if is_packed else 1}, ended
    metas = [result_of(s3, number)[0] for number in range(len(FORGED))]
    told = [(meta.status, meta.exit_code) for meta in metas]
    died = [(ResultStatus.DIED, code) for how, code in FORGED if how == "process"]
    assert told == died + [(ResultStatus.EXCEPTION, 0)] * len(died)


ORPHANED: Final = """
def f(x):
    import os, signal
    if x == "deadly":
        parent = os.getppid()
        os.kill(parent, signal.SIGKILL)
        while os.getppid() == parent:
            pass
    return x[0] if x != "late" else os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_task_that_ends_what_it_was_forked_from_goes_on_and_its_mates_are_forked_from_the_runner(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(ORPHANED, ["a", "deadly", "b", "late"]))])
    metas = [result_of(s3, n)[0] for n in range(4)]
    assert (code, [meta.status.value for meta in metas]) == (0, ["success", "success", "success", "died"]), log
    assert log.count("is gone") == 1, log


GARBLING: Final = """
import os, signal, stat
signal.pthread_sigmask(signal.SIG_BLOCK, {15})
os.kill(int(os.environ["RUNNER"]), signal.SIGTERM)
for word in os.listdir("/proc/self/fd"):
    try:
        if stat.S_ISSOCK(os.fstat(int(word)).st_mode):
            os.write(int(word), b"?" * 16)
    except OSError:
        pass
signal.pause()
"""


class Garbled:
    """Writes to every socket when it is loaded, once the runner got SIGTERM."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return exec, (GARBLING,)


@pytest.mark.parametrize("is_packed", [True, False])
def test_a_task_whose_word_is_damaged_when_sigterm_comes_may_have_been_called(
    s3: S3StandIn, jobs: ForkedJobs, is_packed: bool
) -> None:
    frame = frame_of(SQUARE, [Garbled()], is_packed=is_packed)
    options = PACK if is_packed else "region=us-east-1;patience=0"
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=options)])
    assert (code, written(s3)) == (143, []), log


STARVED: Final = """
import batch_job_supervisor, itertools
counts = itertools.count()
batch_job_supervisor.oom_kills = lambda: next(counts)
"""


def test_an_entry_that_the_kernel_ends_for_memory_leaves_the_others(s3: S3StandIn, jobs: ForkedJobs) -> None:
    source = "def f(x):\n import os\n os.kill(os.getpid(), x) if x else None\n return x"
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(source, [0, 9, 0]))], STARVED)
    metas = [result_of(s3, n)[0] for n in range(3)]
    assert (code, [meta.is_out_of_memory for meta in metas]) == (0, [False, True, False]), log
    assert type(result_of(s3, 1)[1]) is MemoryError


APART: Final = """
def f(x):
    import os, tempfile
    folder = tempfile.gettempdir()
    open(os.path.join(folder, "left"), "w").close()
    score = open("/proc/self/oom_score_adj").read().strip()
    return folder, os.environ["TMPDIR"] == folder, score, os.getpgid(0) == os.getpid(), os.listdir(folder)
"""


def test_each_entry_has_a_temporary_folder_and_a_group_of_its_own_and_goes_first_for_memory(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(APART, range(2)))])
    found = [result_of(s3, n)[1] for n in range(2)]
    assert (code, [rest for _, *rest in found]) == (0, [[True, "1000", True, ["left"]]] * 2), log
    folders = [Path(folder) for folder, *_ in found]
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize(
    ("is_packed", "options"), [(True, "region=us-east-1"), (False, PACK)], ids=["no option", "no packed frame"]
)
def test_a_frame_and_options_that_do_not_agree_on_packing_run_nothing(
    s3: S3StandIn, jobs: ForkedJobs, is_packed: bool, options: str
) -> None:
    frame = frame_of(SQUARE, range(2), is_packed=is_packed)
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=options)])
    assert (code, written(s3), "don't agree" in log) == (2, [], True)


def test_a_packed_frame_has_a_version_that_images_without_packs_refuse() -> None:
    frame = frame_of(SQUARE, range(3))
    assert (frame[:6], len(task_ids(frame))) == (b"SBPF\x03\0", 3)


@pytest.mark.long
def test_an_outage_between_two_entries_asks_for_another_attempt(s3: S3StandIn, jobs: ForkedJobs) -> None:
    s3.refusals.append(Refusal("GET", task_id(2).hex(), 503, "SlowDown"))
    [(code, _)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)))])
    assert (code, written(s3)) == (75, [0, 1])
