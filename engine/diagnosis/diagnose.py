"""Why a job, or whatever blocks a queue, does not run: reads as much of AWS as it takes, and judges."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from engine.diagnosis.evidence import Evidence
from engine.diagnosis.judge import is_settled, judge
from engine.diagnosis.model import Diagnosis
from engine.diagnosis.probes import (
    environments,
    instance_types,
    instances,
    job,
    launches,
    place,
    queue,
    quotas,
    role,
    subnets,
    ways,
)
from engine.diagnosis.probes.image import Fetch, ImageProbe, fetch
from engine.diagnosis.reads import CALLS_PER_S, Clock, Reader, Reads, Sleep

Probe = Callable[[Reader, Evidence], Evidence]

CHEAP: Final[tuple[Probe, ...]] = (queue.probe, environments.probe, place.probe)
"""Of AWS Batch itself."""
DEAR: Final[tuple[Probe, ...]] = (
    instance_types.probe,
    launches.probe,
    quotas.probe,
    instances.probe,
    role.probe,
    subnets.probe,
    ways.probe,
)


@dataclass(slots=True, eq=False)
class Diagnoser:
    """Keeps what it read for ten seconds; several threads may ask, one at a time is served.

    `region` is what commands name while the queue, which knows its own, could not be read. `clock` gives unix seconds.
    `fetch` gets the configuration of the image by the URL that ECR signs for it.
    """

    reads: Reads
    clock: Clock = time.time
    sleep: Sleep = time.sleep
    calls_per_s: float = CALLS_PER_S
    fetch: Fetch = fetch
    region: str = ""
    _reader: Reader = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._reader = Reader(self.reads, self.clock, self.sleep, self.calls_per_s)

    def diagnose(self, queue_name: str, job_id: str | None = None) -> Diagnosis:
        """Of that job; without one, of the job that waits longest. With a job the queue's name may be empty.

        Nothing is raised for what AWS refuses: a check that could not be read says so.
        """
        with self._lock:
            asked = Evidence(queue_name=queue_name, job_id=job_id, now=self.clock(), asked_region=self.region)
            return judge(self._gather(asked))

    def _gather(self, evidence: Evidence) -> Evidence:
        evidence = self._begin(evidence)
        for probe in self._probes(evidence):
            if is_settled(evidence) or _has_no_job(evidence):
                break
            evidence = probe(self._reader, evidence)
        return replace(evidence, now=self.clock())

    def _begin(self, evidence: Evidence) -> Evidence:
        """The job first: it knows its queue."""
        evidence = job.probe(self._reader, evidence)
        found = evidence.known_job
        name = job.id_of(found.queue) if found is not None and found.queue else evidence.queue_name
        return replace(evidence, queue_name=name)

    def _probes(self, evidence: Evidence) -> tuple[Probe, ...]:
        found = evidence.known_job
        image: Probe = ImageProbe(self.fetch)
        if found is not None and found.status == "STARTING":
            return (queue.probe, environments.probe, instance_types.probe, image)
        return (*CHEAP, *DEAR, image)


def _has_no_job(evidence: Evidence) -> bool:
    """Without one that waits, the queue and its environments are all there is to see."""
    asked = evidence.queue is not None and evidence.environments is not None
    return asked and evidence.job is not None and evidence.job.absent
