"""Why jobs wait, for people: AWS is asked in a thread of its own, one diagnosis at a time, and kept for a moment.

Whoever asks gets at once what there is; nobody waits for AWS, and no task's call waits for a diagnosis.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from engine.aws.budget import Clock
from engine.diagnosis.model import Diagnosed, Diagnosis

logger = logging.getLogger(__name__)

FRESH_S: Final = 10.0
"""A diagnosis is not made again within this time of its end."""
KEPT: Final = 50
"""Diagnoses at most, of a few KiB each."""
WAITING: Final = 8
"""Diagnoses under way or waiting for their turn at once."""
FULL: Final = f"{WAITING} diagnoses wait already, each takes AWS some seconds: ask again in a moment"
BROKEN: Final = "the diagnosis broke: the engine's log says where"


@dataclass(slots=True)
class _KeptDiagnosis:
    before: Diagnosis | None
    looking: Future[Diagnosis] = field(init=False)
    ended_at: float = float("-inf")

    def answer(self) -> Diagnosed:
        if not self.looking.done():
            return Diagnosed(self.before, under_way=True)
        if self.looking.cancelled() or self.looking.exception() is not None:
            return Diagnosed(self.before, note=BROKEN)
        return Diagnosed(self.looking.result())

    def is_old(self, now: float) -> bool:
        return self.looking.done() and now - self.ended_at >= FRESH_S


@dataclass(slots=True, eq=False)
class SharedDiagnoses:
    """`look` blocks for seconds; it is given a job's id, or an empty one for whatever is at the queue's head.

    Belongs to one thread, the event loop's.
    """

    look: Callable[[str], Diagnosis]
    clock: Clock
    _kept: OrderedDict[str, _KeptDiagnosis] = field(default_factory=OrderedDict)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "diagnosis"))

    def diagnose(self, job_id: str) -> Diagnosed:
        """What is known now; begins to look when nothing fresh is there. Never waits."""
        kept = self._kept.get(job_id)
        if kept is not None and not kept.is_old(self.clock()):
            return kept.answer()
        before = kept.answer().diagnosis if kept is not None else None
        if sum(not one.looking.done() for one in self._kept.values()) >= WAITING:
            return Diagnosed(before, note=FULL)
        return self._begin(job_id, before).answer()

    def close(self) -> None:
        """Nothing new is begun; what is under way is left to end by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self, job_id: str, before: Diagnosis | None) -> _KeptDiagnosis:
        self._drop_old()
        kept = self._kept[job_id] = _KeptDiagnosis(before)
        self._kept.move_to_end(job_id)
        kept.looking = self._thread.submit(self._look, job_id, kept)
        kept.looking.add_done_callback(_tell_defect)
        return kept

    def _look(self, job_id: str, kept: _KeptDiagnosis) -> Diagnosis:
        try:
            return self.look(job_id)
        finally:
            kept.ended_at = self.clock()

    def _drop_old(self) -> None:
        done = [job_id for job_id, kept in self._kept.items() if kept.looking.done()]
        for job_id in done[: max(0, len(self._kept) - KEPT + 1)]:
            del self._kept[job_id]


def _tell_defect(looking: Future[Diagnosis]) -> None:
    """What AWS refuses is in the diagnosis; what is raised is ours."""
    error = None if looking.cancelled() else looking.exception()
    if error is not None:
        logger.error("a diagnosis broke", exc_info=error)
