"""Diagnoses shared by all viewers: made in a thread of their own, one at a time, and kept for a moment.

A request is answered at once with what there is; none waits for AWS, and no task's call waits for a diagnosis.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from engine.aws.budget import Clock
from engine.diagnosis.model import Diagnosed, Diagnosis

logger = logging.getLogger(__name__)

DIAGNOSIS_FRESH_S: Final = 10.0
"""A diagnosis is not made again within this time of its end."""
DIAGNOSES_KEPT: Final = 50
"""Diagnoses at most, of a few KiB each."""
DIAGNOSES_PENDING: Final = 8
"""Diagnoses under way or waiting for their turn at once."""
FULL: Final = f"{DIAGNOSES_PENDING} diagnoses wait already, each takes AWS some seconds: ask again in a moment"
BROKEN: Final = "the diagnosis broke: the engine's log says where"


OnCheck = Callable[[Diagnosis], None]


class _KeptDiagnosis:
    """A diagnosis under way or made, and the one before it."""

    def __init__(self, before: Diagnosis | None) -> None:
        self.before = before
        self.so_far: Diagnosis | None = None
        """What is known of one that is under way; another thread sets it."""
        self.running: Future[Diagnosis] = Future()
        self.ended_at = float("-inf")

    def answer(self) -> Diagnosed:
        """The newest diagnosis that there is at this moment."""
        if not self.running.done():
            return Diagnosed(self.before or self.so_far, under_way=True)
        if self.running.cancelled() or self.running.exception() is not None:
            return Diagnosed(self.before, note=BROKEN)
        return Diagnosed(self.running.result())

    def note(self, so_far: Diagnosis) -> None:
        """Keep what is known of the diagnosis that is under way."""
        self.so_far = so_far

    def is_old(self, now: float) -> bool:
        """It is to be made again when it is asked for."""
        return self.running.done() and now - self.ended_at >= DIAGNOSIS_FRESH_S


class SharedDiagnoses:
    """Runs `make`, which blocks for seconds; it gets a job's id, or an empty one for the head of the queue, and whom
    to tell what it knows meanwhile.

    Belongs to one thread, the event loop's.
    """

    def __init__(self, *, make: Callable[[str, OnCheck], Diagnosis], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._kept: OrderedDict[str, _KeptDiagnosis] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "diagnosis")

    def diagnose(self, job_id: str) -> Diagnosed:
        """Answer with what is known now; begins a diagnosis when nothing fresh is there. Never waits."""
        kept = self._kept.get(job_id)
        if kept is not None and not kept.is_old(self._clock()):
            return kept.answer()
        before = kept.answer().diagnosis if kept is not None else None
        if sum(not one.running.done() for one in self._kept.values()) >= DIAGNOSES_PENDING:
            return Diagnosed(before, note=FULL)
        return self._begin(job_id, before).answer()

    def close(self) -> None:
        """Begin nothing more; what is under way is left to end by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self, job_id: str, before: Diagnosis | None) -> _KeptDiagnosis:
        self._drop_old()
        kept = self._kept[job_id] = _KeptDiagnosis(before)
        self._kept.move_to_end(job_id)
        kept.running = self._thread.submit(self._run, job_id, kept)
        kept.running.add_done_callback(_log_defect)
        return kept

    def _run(self, job_id: str, kept: _KeptDiagnosis) -> Diagnosis:
        try:
            return self._make(job_id, kept.note)
        finally:
            kept.ended_at = self._clock()

    def _drop_old(self) -> None:
        done = [job_id for job_id, kept in self._kept.items() if kept.running.done()]
        for job_id in done[: max(0, len(self._kept) - DIAGNOSES_KEPT + 1)]:
            del self._kept[job_id]


def _log_defect(running: Future[Diagnosis]) -> None:
    """What AWS refuses is in the diagnosis; what is raised is ours."""
    error = None if running.cancelled() else running.exception()
    if error is not None:
        logger.error("a diagnosis broke", exc_info=error)
