"""Diagnosis of a job that does not run, or of whatever blocks a queue: reads as much of AWS as it takes, and judges."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from engine.aws.batch_states import BatchState
from engine.diagnosis.checks import job
from engine.diagnosis.checks.table import CHECKS, Check
from engine.diagnosis.evidence import Evidence
from engine.diagnosis.judge import describe_progress, is_settled, judge
from engine.diagnosis.model import Diagnosis
from engine.diagnosis.reads import CALLS_PER_S, Clock, Fetch, Reader, Reads, Sleep, fetch_url


@dataclass(slots=True, eq=False)
class Diagnoser:
    """Reads AWS and judges, for one thread at a time; several may ask, and what was read is kept for ten seconds.

    `region` is what commands name while the queue, which knows its own, could not be read. `clock` gives unix seconds.
    `fetch` gets the configuration of the image by the URL that ECR signs for it.
    """

    reads: Reads
    clock: Clock = time.time
    sleep: Sleep = time.sleep
    calls_per_s: float = CALLS_PER_S
    fetch: Fetch = fetch_url
    region: str = ""
    _reader: Reader = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._reader = Reader(self.reads, self.clock, self.sleep, self.calls_per_s, self.fetch)

    def diagnose(
        self, queue_name: str, job_id: str | None = None, on_check: Callable[[Diagnosis], None] = lambda _: None
    ) -> Diagnosis:
        """Diagnose that job; without one, the job that waits longest. With a job the queue's name may be empty.

        Nothing is raised for what AWS refuses: a check that could not be read says so. `on_check` gets what is known
        after each read: its verdict is none yet.
        """
        with self._lock:
            evidence = Evidence(queue_name=queue_name, job_id=job_id, now=self.clock(), fallback_region=self.region)
            return judge(self._gather(evidence, on_check))

    def _gather(self, evidence: Evidence, on_check: Callable[[Diagnosis], None]) -> Evidence:
        evidence = self._read_job(evidence)
        for check in _needed_checks(evidence):
            if is_settled(evidence) or _has_no_job(evidence):
                break
            if check.read is not None and check.fact(evidence) is None:
                on_check(describe_progress(replace(evidence, now=self.clock())))
                evidence = check.read(self._reader, evidence)
        return replace(evidence, now=self.clock())

    def _read_job(self, evidence: Evidence) -> Evidence:
        """Before all checks: the job knows its queue."""
        evidence = job.read(self._reader, evidence)
        found = evidence.known_job
        name = job.job_id_of(found.queue) if found is not None and found.queue else evidence.queue_name
        return replace(evidence, queue_name=name)


def _needed_checks(evidence: Evidence) -> Iterator[Check[object]]:
    found = evidence.known_job
    is_starting = found is not None and found.status == BatchState.STARTING
    return (check for check in CHECKS if check.when_starting or not is_starting)


def _has_no_job(evidence: Evidence) -> bool:
    """Without one that waits, the queue and its environments are all that can be read."""
    are_read = evidence.queue is not None and evidence.environments is not None
    return are_read and evidence.job is not None and evidence.job.absent
