"""Diagnoses are made one at a time in a thread of their own, shared, kept for a moment, and never waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from engine.aws.errors import AwsError
from engine.aws.session import AwsSession
from engine.backends.batch.introspect.diagnosis_reads import DIAGNOSIS_TIMEOUT_S, DiagnosisReads, DiagnosisStopped
from engine.backends.batch.introspect.shared_diagnoses import (
    BROKEN,
    DIAGNOSES_PENDING,
    DIAGNOSIS_FRESH_S,
    FULL,
    SharedDiagnoses,
)
from engine.telemetry.schema.messages import Diagnosed, Diagnosis
from tests.support.engine.managed_tasks import Clock

SECONDS = 10.0


class SteppedDiagnoser:
    """What stands for the blocking diagnosis: each one waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.at_once, self.most_at_once = 0, 0
        self.fails = False
        self.tells, self.told = False, threading.Event()
        self.gate = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __call__(self, job_id: str, on_check: Callable[[Diagnosis], None]) -> Diagnosis:
        with self._lock:
            self.begun.append(job_id)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        if self.tells:
            on_check(Diagnosis(job_id, "so far", "", "", "", (), (), 0.0))
            self.told.set()
        self.gate.acquire(timeout=SECONDS)
        with self._lock:
            self.at_once -= 1
        if self.fails:
            raise ZeroDivisionError
        return Diagnosis(job_id, f"verdict {len(self.begun)}", "", "", "", (), (), 0.0)


@pytest.fixture
def diagnoser() -> SteppedDiagnoser:
    return SteppedDiagnoser()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(diagnoser: SteppedDiagnoser, clock: Clock) -> Iterator[SharedDiagnoses]:
    shared = SharedDiagnoses(make=diagnoser, clock=clock)
    yield shared
    shared.close()
    diagnoser.gate.release(2 * DIAGNOSES_PENDING)


def ended(shared: SharedDiagnoses, job_id: str) -> Diagnosed:
    """The answer as soon as nothing is under way for this job."""
    done = threading.Event()
    for _ in range(int(SECONDS * 100)):
        if not (answer := shared.diagnose(job_id)).under_way:
            return answer
        done.wait(0.01)
    raise TimeoutError(job_id)


def verdict(answer: Diagnosed) -> str:
    assert answer.diagnosis is not None
    return answer.diagnosis.verdict


def test_every_viewer_is_answered_at_once_and_shares_one_diagnosis(
    shared: SharedDiagnoses, diagnoser: SteppedDiagnoser
) -> None:
    assert [shared.diagnose("job") for _ in range(20)] == [Diagnosed(under_way=True)] * 20
    diagnoser.gate.release()
    assert verdict(ended(shared, "job")) == "verdict 1"
    assert diagnoser.begun == ["job"]


def test_what_is_known_of_one_under_way_is_told_until_there_is_a_whole_one(
    shared: SharedDiagnoses, diagnoser: SteppedDiagnoser
) -> None:
    diagnoser.tells = True
    shared.diagnose("job")
    assert diagnoser.told.wait(SECONDS)
    answer = shared.diagnose("job")
    assert (verdict(answer), answer.under_way) == ("so far", True)
    diagnoser.gate.release()
    assert verdict(ended(shared, "job")) == "verdict 1"


def test_one_diagnosis_is_made_at_a_time(shared: SharedDiagnoses, diagnoser: SteppedDiagnoser) -> None:
    for job_id in ("a", "b", "c"):
        shared.diagnose(job_id)
    diagnoser.gate.release(3)
    assert [ended(shared, job_id).diagnosis is not None for job_id in ("a", "b", "c")] == [True] * 3
    assert (diagnoser.most_at_once, diagnoser.begun) == (1, ["a", "b", "c"])


def test_a_diagnosis_is_kept_for_ten_seconds_and_shown_until_the_next_is_there(
    shared: SharedDiagnoses, diagnoser: SteppedDiagnoser, clock: Clock
) -> None:
    shared.diagnose("")
    diagnoser.gate.release()
    ended(shared, "")
    clock.now += DIAGNOSIS_FRESH_S - 1
    assert not shared.diagnose("").under_way
    clock.now += 1
    again = shared.diagnose("")
    assert (again.under_way, verdict(again)) == (True, "verdict 1")
    diagnoser.gate.release()
    assert verdict(ended(shared, "")) == "verdict 2"


def test_too_many_are_refused_in_words(shared: SharedDiagnoses) -> None:
    for number in range(DIAGNOSES_PENDING):
        shared.diagnose(str(number))
    assert shared.diagnose("one more") == Diagnosed(note=FULL)


def test_a_defect_is_told_once_and_does_not_end_the_next_one(
    shared: SharedDiagnoses, diagnoser: SteppedDiagnoser, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    diagnoser.fails = True
    shared.diagnose("")
    diagnoser.gate.release()
    assert ended(shared, "") == Diagnosed(note=BROKEN)
    assert caplog.text.count("a diagnosis broke") == 1
    diagnoser.fails = False
    clock.now += DIAGNOSIS_FRESH_S
    shared.diagnose("")
    diagnoser.gate.release()
    assert verdict(ended(shared, "")) == "verdict 2"


# ---- how AWS is read for it


@pytest.fixture
def reads(clock: Clock) -> Iterator[DiagnosisReads]:
    reads = DiagnosisReads(session=AwsSession("us-east-1", 1), clock=clock)
    reads.begin()
    yield reads
    reads.stop()


def test_a_diagnosis_that_takes_too_long_asks_nothing_more(reads: DiagnosisReads, clock: Clock) -> None:
    clock.now += DIAGNOSIS_TIMEOUT_S
    with pytest.raises(AwsError, match="more than 60 s"):
        reads.call("batch", "describe_job_queues")


@pytest.mark.parametrize("use", [lambda reads: reads.call("batch", "describe_jobs"), lambda reads: reads.sleep(99.0)])
def test_an_engine_that_ends_is_not_held_up_by_a_diagnosis(
    reads: DiagnosisReads, use: Callable[[DiagnosisReads], object]
) -> None:
    reads.stop()
    with pytest.raises(DiagnosisStopped):
        use(reads)
