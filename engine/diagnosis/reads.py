"""How AWS is read for a diagnosis: one call at a time, paced, each answer kept for ten seconds, refusals as words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from engine.aws.errors import AwsError

Clock = Callable[[], float]
Sleep = Callable[[float], None]
Document = dict[str, Any]

FRESH_S: Final = 10.0
"""An answer is given again within this time, instead of asking AWS."""
CALLS_PER_S: Final = 2.0
KEPT_ANSWERS: Final = 200
"""At most, of tens of KiB each."""
PAGES: Final = 10
"""Of one listing at most: all of EC2's instance types, and more waiting jobs than it takes to find the oldest."""
# The prefix in IAM's actions, where it is not boto3's name of the service.
IAM_NAMES: Final = {"service-quotas": "servicequotas"}


class Reads(Protocol):
    """One boto3 call by the names of service and method. Raises `AwsError`."""

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """AWS's answer, or in `trouble` why there is none. `source` as in "batch:DescribeJobs", `at` in unix seconds."""

    source: str
    at: float
    answer: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""
    code: str = ""
    """AWS's error code, empty with an answer."""


@dataclass(slots=True, eq=False)
class Reader:
    """For one thread at a time. `clock` gives unix seconds."""

    reads: Reads
    clock: Clock = time.time
    sleep: Sleep = time.sleep
    calls_per_s: float = CALLS_PER_S
    _kept: dict[str, Reading] = field(default_factory=dict)
    _next_call_at: float = float("-inf")

    def read(self, service: str, operation: str, **parameters: Any) -> Reading:
        """Nothing is raised for what AWS refuses."""
        question = f"{service} {operation} {sorted(parameters.items())!r}"
        kept = self._kept.get(question)
        if kept is None or self.clock() - kept.at >= FRESH_S:
            self._drop_old()
            kept = self._kept[question] = self._ask(service, operation, parameters)
        return kept

    def pages(
        self, service: str, operation: str, key: str, token: str = "nextToken", **parameters: Any
    ) -> tuple[list[Document], Reading]:
        """The entries under `key` of the first pages, and the last page's reading; `token` names both tokens."""
        found: list[Document] = []
        more: dict[str, Any] = {}
        for _ in range(PAGES):
            reading = self.read(service, operation, **parameters, **more)
            found += reading.answer.get(key, [])
            if not reading.answer.get(token):
                break
            more = {token: reading.answer[token]}
        return found, reading

    def _ask(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Reading:
        source = action(service, operation)
        self._pace()
        try:
            answer = self.reads.call(service, operation, **parameters)
        except AwsError as error:
            return Reading(source, self.clock(), trouble=in_words(source, error), code=error.code)
        return Reading(source, self.clock(), answer)

    def _pace(self) -> None:
        wait = self._next_call_at - self.clock()
        if wait > 0:
            self.sleep(wait)
        self._next_call_at = self.clock() + 1 / self.calls_per_s

    def _drop_old(self) -> None:
        now = self.clock()
        fresh = [(question, kept) for question, kept in self._kept.items() if now - kept.at < FRESH_S]
        self._kept = dict(fresh[-KEPT_ANSWERS:])


def action(service: str, operation: str) -> str:
    """The IAM action of a boto3 method: `batch`, `describe_jobs` is batch:DescribeJobs."""
    name = "".join(word.capitalize() for word in operation.split("_"))
    return f"{IAM_NAMES.get(service, service)}:{name}"


def in_words(source: str, error: AwsError) -> str:
    if error.denied:
        return f"AccessDenied {source}: grant it or skip"
    return f"{source} could not be read: {error.code}: {error.detail}"
