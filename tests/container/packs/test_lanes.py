"""Lanes: a pack runs several entries at once, and its order still tells which of them may have been called."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from container.batch_job_wire.protocol import mark_key, result_key
from container.batch_job_wire.results import ResultStatus
from engine.model import LogEvent
from engine.telemetry.server.logs.speakers import Speakers
from tests.support.cases import first_now
from tests.support.runner.client import STORE
from tests.support.runner.forked_jobs import KILLED, ForkedJobs
from tests.support.runner.packs import PACK, SQUARE, SUBMISSION, frame_of, job, result_of, task_id
from tests.support.runner.s3_stand_in import Refusal, S3StandIn

TWO: Final = f"{PACK};parallel=2"
SOON: Final = "import batch_job_pack.lanes; batch_job_pack.lanes.LOOK_S = 0.05\n"
"""Marks of what runs are looked for often."""

pytestmark = pytest.mark.usefixtures("template_or_none")


def results(s3: S3StandIn, count: int) -> list[int]:
    """The entries that have a result."""
    return [n for n in range(count) if f"/{STORE}/{result_key(SUBMISSION, task_id(n))}" in s3.objects]


MEETING: Final = """
def f(x):
    import os, time
    number, folder, company = x
    open(os.path.join(folder, f"{number}.here"), "w").close()
    while not all(os.path.exists(os.path.join(folder, f"{one}.here")) for one in company):
        time.sleep(0.01)
    running = sorted(name for name in os.listdir(folder) if name.endswith(".here"))
    for one in company:  # until all of them have looked
        open(os.path.join(folder, f"{number}-{one}.saw"), "w").close()
    while not all(os.path.exists(os.path.join(folder, f"{one}-{number}.saw")) for one in company):
        time.sleep(0.01)
    os.remove(os.path.join(folder, f"{number}.here"))
    return len(running)
"""


def test_as_many_entries_run_at_once_as_there_are_lanes_and_each_has_its_result(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path
) -> None:
    """Each waits for the one beside it: with a single lane none would end."""
    frame = frame_of(MEETING, [(n, str(tmp_path), [n, n ^ 1]) for n in range(6)])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=f"{PACK.replace('pack=4', 'pack=6')};parallel=2")])
    assert (code, [result_of(s3, n)[1] for n in range(6)]) == (0, [2] * 6), log


def test_a_pack_has_no_more_lanes_than_entries(s3: S3StandIn, jobs: ForkedJobs) -> None:
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(5)), options=f"{PACK};parallel=9", index=1)])
    assert (code, results(s3, 5)) == (0, [4]), log


DEADLY: Final = """
def f(x):
    import os, signal
    number, deadly, folder = x
    with open(os.path.join(folder, f"{number}.called"), "x"):
        pass
    if number == deadly:
        os.kill(int(os.environ["RUNNER"]), signal.SIGKILL)
        signal.pause()
    return number
"""


@pytest.mark.parametrize("deadly", first_now(range(6)))
def test_of_a_job_that_dies_only_the_first_entries_without_a_result_may_have_been_called(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path, deadly: int
) -> None:
    frame = frame_of(DEADLY, [(n, deadly, str(tmp_path)) for n in range(6)])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=f"{PACK.replace('pack=4', 'pack=6')};parallel=2")])
    called = {int(path.stem) for path in tmp_path.glob("*.called")}
    holes = [n for n in range(6) if n not in results(s3, 6)]
    assert code == KILLED + 9, log
    assert deadly in called - set(results(s3, 6)) <= set(holes[:2]), log


def test_another_attempt_runs_what_has_no_result_in_as_many_lanes(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path
) -> None:
    frame = frame_of(SQUARE, range(4))
    jobs.run(s3.endpoint, [job(frame, options=TWO)])
    for number in (1, 3):
        del s3.objects[f"/{STORE}/{result_key(SUBMISSION, task_id(number))}"]
    s3.requests.clear()
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=TWO, attempt=2)])
    puts = sorted(path for method, path in s3.requests if method == "PUT")
    assert (code, [int(path.rpartition("/")[2][:2], 16) - 1 for path in puts]) == (0, [1, 3]), log


MARKED: Final = """
def f(x):
    import os, signal
    from urllib.request import Request, urlopen
    number, folder, url = x
    with open(os.path.join(folder, f"{number}.called"), "x"):
        pass
    if url:
        urlopen(Request(url, data=b"", method="PUT")).close()
        while True:
            signal.pause()
    return number
"""


@pytest.mark.parametrize("marked", first_now([[1], [0], [5], [0, 1], [0, 1, 2, 3, 4, 5]]))
def test_a_task_that_is_marked_while_it_runs_is_ended_alone(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path, marked: list[int]
) -> None:
    urls = {n: f"{s3.endpoint}/{STORE}/{mark_key(SUBMISSION, task_id(n))}" for n in marked}
    frame = frame_of(MARKED, [(n, str(tmp_path), urls.get(n)) for n in range(6)])
    options = f"{PACK.replace('pack=4', 'pack=6')};parallel=2"
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=options)], SOON)
    found = [result_of(s3, n) for n in range(6)]
    skipped, done = ResultStatus.SKIPPED, ResultStatus.SUCCESS
    assert (code, [meta.status for meta, _ in found]) == (0, [skipped if n in marked else done for n in range(6)]), log
    assert {found[n][0].phase for n in marked} == {"running"}
    assert len(list(tmp_path.glob("*.called"))) == 6, "each was called once"


def test_a_mark_that_is_there_before_keeps_its_entry_from_being_called(s3: S3StandIn, jobs: ForkedJobs) -> None:
    s3.objects[f"/{STORE}/{mark_key(SUBMISSION, task_id(2))}"] = b""
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)), options=TWO)])
    statuses = [result_of(s3, n)[0].status.value for n in range(4)]
    assert (code, statuses) == (0, ["success", "success", "skipped", "success"]), log


SIGNALLED: Final = """
def f(x):
    import os, signal, time
    number, folder, kind = x
    open(os.path.join(folder, f"{number}.called"), "w").close()
    if kind == "quick":
        return number
    if kind == "stubborn":
        signal.pthread_sigmask(signal.SIG_BLOCK, {15})
    while not os.path.exists(os.path.join(folder, f"{number ^ 1}.called")):
        time.sleep(0.01)
    if number == 0:
        os.kill(int(os.environ["RUNNER"]), signal.SIGTERM)
    if kind == "stubborn":
        signal.sigwait({15})
    else:
        signal.pause()
    return number
"""


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["interrupted", "stubborn", "quick"], (143, [1])),
        (["stubborn", "interrupted", "quick"], (143, [0])),
        (["stubborn", "stubborn", "quick"], (75, [0, 1])),
        (["stubborn", "stubborn"], (0, [0, 1])),
    ],
)
def test_sigterm_gives_each_lane_its_grace_and_no_later_entry_is_started(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path, kinds: list[str], expected: tuple[int, list[int]]
) -> None:
    frame = frame_of(SIGNALLED, [(n, str(tmp_path), kind) for n, kind in enumerate(kinds)])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=TWO)])
    assert (code, results(s3, len(kinds))) == expected, log
    assert len(list(tmp_path.glob("*.called"))) == 2


def test_sigterm_before_the_first_lane_asks_for_another_attempt(s3: S3StandIn, jobs: ForkedJobs) -> None:
    early = "import batch_job_pack.lanes as lanes, os, signal\nfill = lanes.RunnerLanes._fill\ndef first(self):\n"
    early += "    os.kill(os.getpid(), signal.SIGTERM)\n    fill(self)\nlanes.RunnerLanes._fill = first\n"
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)), options=TWO)], early)
    assert (code, results(s3, 4)) == (75, []), log


def test_an_outage_that_one_lane_meets_asks_for_another_attempt_once_the_others_are_done(
    s3: S3StandIn, jobs: ForkedJobs
) -> None:
    s3.refusals.append(Refusal("GET", mark_key(SUBMISSION, task_id(2)), 503, "SlowDown"))
    [(code, log)] = jobs.run(s3.endpoint, [job(frame_of(SQUARE, range(4)), options=TWO)])
    assert (code, 2 in results(s3, 4)) == (75, False), log
    assert {0, 1} <= set(results(s3, 4)), log


PRINTING: Final = """
def f(x):
    import os, sys, time
    number, folder = x
    for turn in range(20):
        mine, other = (os.path.join(folder, f"{one}.{turn}") for one in (number, number ^ 1))
        print("out", number, turn, flush=True)
        print("err", number, turn, file=sys.stderr, flush=True)
        open(mine, "w").close()
        while not os.path.exists(other):
            time.sleep(0.001)
    return number
"""


def test_each_line_of_the_log_stands_behind_one_that_says_whose_it_is(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path
) -> None:
    frame = frame_of(PRINTING, [(n, str(tmp_path)) for n in range(4)])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=TWO)])
    lines = Speakers("nobody").lines([LogEvent(0.0, line, 0.0) for line in log.splitlines()])
    printed = [(line.task_id, line.text) for line in lines if line.text.startswith(("out ", "err "))]
    expected = {
        (task_id(n).hex(), f"{stream} {n} {turn}") for n in range(4) for turn in range(20) for stream in ("out", "err")
    }
    assert (code, len(printed), set(printed)) == (0, 160, expected), log
    assert not [line.text for line in lines if line.text.endswith("goes on")], (
        "of use to a reader of the whole log alone"
    )


LANE_KILLER: Final = """
def f(x):
    import os, signal, time
    number, deadly, folder = x
    open(os.path.join(folder, f"{number}.called"), "x").close()
    if number == deadly:
        status = open(f"/proc/{os.getppid()}/stat").read()  # of the process that forks for the lane, or the template
        lane = int(status.rpartition(")")[2].split()[1])
        while int(open(f"/proc/{lane}/stat").read().rpartition(")")[2].split()[1]) != int(os.environ["RUNNER"]):
            lane = int(open(f"/proc/{lane}/stat").read().rpartition(")")[2].split()[1])
        os.kill(lane, signal.SIGKILL)
        while True:
            open(os.path.join(folder, "alive"), "w").write(str(time.monotonic()))
            time.sleep(0.005)
    return number
"""


@pytest.mark.parametrize("deadly", first_now(range(6)))
def test_a_task_that_ends_its_lane_fails_alone_and_is_ended(
    s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path, deadly: int
) -> None:
    frame = frame_of(LANE_KILLER, [(n, deadly, str(tmp_path)) for n in range(6)])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=f"{PACK.replace('pack=4', 'pack=6')};parallel=2")])
    found = [result_of(s3, n) for n in range(6)]
    died, done = ResultStatus.DIED, ResultStatus.SUCCESS
    assert (code, [meta.status for meta, _ in found]) == (0, [died if n == deadly else done for n in range(6)]), log
    assert "ended with exit code 137" in str(found[deadly][1])
    assert len(list(tmp_path.glob("*.called"))) == 6


FLOODING: Final = """
def f(x):
    import os, sys, time
    number, folder = x
    if number == 0:
        while not os.path.exists(os.path.join(folder, "3.here")):
            os.write(1, b"flood " * 1_000 + b"\\n")
    open(os.path.join(folder, f"{number}.here"), "w").close()
    return number
"""


def test_a_task_that_writes_on_and_on_holds_up_no_other_lane(s3: S3StandIn, jobs: ForkedJobs, tmp_path: Path) -> None:
    frame = frame_of(FLOODING, [(n, str(tmp_path)) for n in range(4)])
    [(code, log)] = jobs.run(s3.endpoint, [job(frame, options=TWO)])
    assert (code, results(s3, 4)) == (0, [0, 1, 2, 3]), log[-2_000:]
