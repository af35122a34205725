"""Reads of AWS for a diagnosis: one call at a time, paced, each answer kept for ten seconds, refusals as text."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from engine.aws.errors import AwsError, ErrorAction

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
FETCHED_BYTES: Final = 1 << 20
FETCH_TIMEOUT_S: Final = 10.0
# The prefix in IAM's actions, where it is not boto3's name of the service.
IAM_PREFIXES: Final = {"service-quotas": "servicequotas"}


class Reads(Protocol):
    """Access to AWS's APIs by the names that boto3 has for service and method."""

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """One call. Raises `AwsError`."""


class Fetch(Protocol):
    """Download of what is behind a signed URL."""

    def __call__(self, url: str) -> bytes:
        """Its bytes. Raises `OSError` (`urllib.error.URLError` is one)."""


def fetch_url(url: str) -> bytes:
    """Download the first MiB; an image's configuration is a few KiB. Raises `OSError`."""
    with urllib.request.urlopen(url, timeout=FETCH_TIMEOUT_S) as answer:
        content: bytes = answer.read(FETCHED_BYTES)
    return content


@dataclass(frozen=True, slots=True)
class Reading:
    """AWS's answer, or in `error` why there is none. `source` as in "batch:DescribeJobs", `at` in unix seconds."""

    source: str
    at: float
    answer: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    code: str = ""
    """AWS's error code, empty with an answer."""
    answered: bool = True
    """False where nobody answered, or something that isn't AWS: the network is at fault."""


@dataclass(slots=True, eq=False)
class Reader:
    """Reads for one thread at a time. `clock` gives unix seconds, `fetch` gets what ECR signs a URL for."""

    reads: Reads
    clock: Clock = time.time
    sleep: Sleep = time.sleep
    calls_per_s: float = CALLS_PER_S
    fetch: Fetch = fetch_url
    _kept: dict[str, Reading] = field(default_factory=dict)
    _next_call_at: float = float("-inf")

    def read(self, service: str, operation: str, **parameters: Any) -> Reading:
        """Make a call, or give the answer of the same one again; nothing is raised for what AWS refuses."""
        question = f"{service} {operation} {sorted(parameters.items())!r}"
        kept = self._kept.get(question)
        if kept is None or self.clock() - kept.at >= FRESH_S:
            self._drop_old()
            kept = self._kept[question] = self._call(service, operation, parameters)
        return kept

    def read_pages(
        self, service: str, operation: str, key: str, token: str = "nextToken", **parameters: Any
    ) -> tuple[list[Document], Reading]:
        """Read the entries under `key` of the first pages, and the last page; `token` names both tokens."""
        entries: list[Document] = []
        more: dict[str, Any] = {}
        for _ in range(PAGES):
            reading = self.read(service, operation, **parameters, **more)
            entries += reading.answer.get(key, [])
            if not reading.answer.get(token):
                break
            more = {token: reading.answer[token]}
        return entries, reading

    def _call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Reading:
        source = iam_action(service, operation)
        self._pace()
        try:
            answer = self.reads.call(service, operation, **parameters)
        except AwsError as error:
            text, answered = describe_error(source, error), not never_answered(error)
            return Reading(source, self.clock(), error=text, code=error.code, answered=answered)
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


def iam_action(service: str, operation: str) -> str:
    """The IAM action of a boto3 method: `batch`, `describe_jobs` is batch:DescribeJobs."""
    name = "".join(word.capitalize() for word in operation.split("_"))
    return f"{IAM_PREFIXES.get(service, service)}:{name}"


def never_answered(error: AwsError) -> bool:
    """No status: AWS was not reached, and nothing that it says is known."""
    return error.action is ErrorAction.RETRY_LATER and not error.status


def describe_error(source: str, error: AwsError) -> str:
    """Evidence of a check that could not be read: what to grant, or what AWS said."""
    if error.denied:
        return f"AccessDenied {source}: grant it or skip"
    return f"{source} could not be read: {error.code}: {error.detail}"
