"""Every call that the commands make, in order, as it was last recorded: what the tests of this folder go through.

`python -m tests.support.provisioner.faults.record` writes it anew after a change of what the provisioner calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
READS = ("Get", "List", "Describe", "Head")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command. `index` counts all of its calls, `before` those of the same API, both from 0."""

    index: int
    api: str
    before: int

    def __str__(self) -> str:
        return f"{self.api}-{self.before + 1}"

    @property
    def service(self) -> str:
        return self.api.partition(".")[0]

    @property
    def changes(self) -> bool:
        return not self.api.partition(".")[2].startswith(READS)


def file_of(command: str) -> Path:
    return FOLDER / f"calls_of_{command}.txt"


def recorded(command: str) -> list[Call]:
    counts: Counter[str] = Counter()
    calls: list[Call] = []
    for index, api in enumerate(file_of(command).read_text().split()):
        calls.append(Call(index, api, counts[api]))
        counts[api] += 1
    return calls


def changing(command: str) -> list[Call]:
    return [call for call in recorded(command) if call.changes]


def of_each_service(calls: Iterable[Call]) -> list[Call]:
    """The first call of each service: one kind of failure is met in the same way by all calls of a client."""
    return list({call.service: call for call in reversed(list(calls))}.values())


def reading(command: str) -> list[Call]:
    """Of calls of one API in a row, such as a question asked for each state of a job, only the first."""
    calls = recorded(command)
    former = [None, *(call.api for call in calls)]
    return [call for call in calls if not call.changes and call.api != former[call.index]]
