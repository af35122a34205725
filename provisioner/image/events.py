"""Events of an image's build: steps, and the lines of the programs that do them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from provisioner.errors import ProvisionError
from provisioner.kinds import StepState


@dataclass(frozen=True, slots=True)
class ImageStep:
    """Step of the build; `name` is build, check, push or lock."""

    name: str
    state: StepState
    text: str


@dataclass(frozen=True, slots=True)
class OutputLine:
    """Line of output of pip or of the container engine."""

    text: str


Event = ImageStep | OutputLine
Report = Callable[[Event], None]


@contextmanager
def reported_step(report: Report, name: str, text: str) -> Iterator[None]:
    """Step that is reported when it begins and when it ends. Raises what its body raises."""
    report(ImageStep(name, StepState.RUNNING, text))
    try:
        yield
    except ProvisionError as error:
        report(ImageStep(name, StepState.FAILED, str(error)))
        raise
    report(ImageStep(name, StepState.DONE, text))
