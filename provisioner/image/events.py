"""What is told while an image is made: steps, and the lines of the programs that do them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from provisioner.errors import ProvisionError


class State(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ImageStep:
    """`name` is build, check or push."""

    name: str
    state: State
    text: str

    def document(self) -> dict[str, object]:
        """As programs read it."""
        about = {"event": "step", "kind": "image", "name": self.name, "action": "create"}
        return {**about, "state": str(self.state), "text": self.text}


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line of output of pip or of the container engine."""

    text: str

    def document(self) -> dict[str, object]:
        """As programs read it."""
        return {"event": "line", "text": self.text}


Event = ImageStep | OutputLine
Report = Callable[[Event], None]


@contextmanager
def told(report: Report, name: str, text: str) -> Iterator[None]:
    """A step from its beginning to how it ended."""
    report(ImageStep(name, State.RUNNING, text))
    try:
        yield
    except ProvisionError as error:
        report(ImageStep(name, State.FAILED, str(error)))
        raise
    report(ImageStep(name, State.DONE, text))
