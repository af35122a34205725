"""Watches on jobs: each asks the engine how far the jobs of a filter are, and tells the first failure and the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from console.tui.polling import PolledRequest
from console.waiting import JobProgress, describe, read_progress
from engine.telemetry.client.source import Source
from engine.telemetry.schema.messages import Answer, GetGroups, Groups, Refusal

PERIOD_S: Final = 2.0
MOST: Final = 16
"""Watches at once: each costs the engine an answer every two seconds."""

Tell = Callable[[str], None]


@dataclass(slots=True)
class _WatchedJobs:
    name: str
    request: GetGroups
    question: PolledRequest | None = None
    failed: int | None = None
    """Failures when it began, or the last time that they were told."""
    told: bool = False
    """Its first failure was told."""


class Watches:
    """Watches of one console. `tell` gets a sentence when something came; polled with every beat."""

    def __init__(self, source: Source, tell: Tell, say: Tell) -> None:
        """`say` is for what the user sees anyway, because he pressed a key for it."""
        self._source, self._tell, self._say = source, tell, say
        self._watches: dict[GetGroups, _WatchedJobs] = {}

    def __len__(self) -> int:
        return len(self._watches)

    def toggle(self, name: str, filter: str, manager: str) -> None:
        """Begin to watch the jobs that fit, or cease."""
        request = GetGroups(filter=filter, manager=manager)
        if self._watches.pop(request, None) is not None:
            self._say(f"{name}: you will not be told")
        elif len(self._watches) >= MOST:
            self._say(f"{MOST} are watched already: n on one of them ends that")
        else:
            watch = self._watches[request] = _WatchedJobs(name, request)
            watch.question = PolledRequest(
                self._source, lambda: request, lambda answer: self._take(watch, answer), PERIOD_S
            )

    def poll(self, now: float) -> None:
        """Ask what is due. `now`: seconds of the state's clock."""
        for watch in list(self._watches.values()):
            if watch.question is not None:
                watch.question.poll(now)

    def _take(self, watch: _WatchedJobs, answer: Answer) -> None:
        if self._watches.get(watch.request) is not watch:
            return
        if isinstance(answer, Groups):
            self._judge(watch, read_progress(answer))
        elif isinstance(answer, Refusal) and watch.failed is None:
            self._end(watch)
            self._say(f"{watch.name}: {answer.text}")

    def _judge(self, watch: _WatchedJobs, progress: JobProgress) -> None:
        if watch.failed is None:
            self._begin(watch, progress)
        elif progress.failed > watch.failed:
            if progress.living and not watch.told:
                watch.told = True  # the others of them are in the last word
                self._tell(f"{watch.name}: a job failed ({describe(progress)})")
            watch.failed = progress.failed
        if watch.request in self._watches and progress.ended:
            self._end(watch)
            self._tell(f"{watch.name}: {describe(progress)}")

    def _begin(self, watch: _WatchedJobs, progress: JobProgress) -> None:
        watch.failed = progress.failed
        if progress.living:
            self._say(f"{watch.name}: you will be told of its first failure and its end")
        else:
            self._end(watch)
            self._say(f"{watch.name}: nothing lives, {describe(progress)}")

    def _end(self, watch: _WatchedJobs) -> None:
        self._watches.pop(watch.request, None)
