"""Stacks that stand still: everything that `scaler-batch` may have told, and no process behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from console.tui.stack.model import Part, Provisioning
from console.tui.stack.process import StackCommand
from console.tui.stack.run import Run, RunOutcome
from console.tui.stack.schema import read_event
from provisioner.json_schema import DoneEvent, LiveReport, PlanReport, StackEntry
from tests.support.console import stack_samples as samples
from tests.support.console.demo.source import STARTED_AT

ENTRY = msgspec.convert(samples.ENTRY, StackEntry)


class Still(Provisioning):
    """Reads nothing."""

    def __init__(self) -> None:
        super().__init__((), lambda: STARTED_AT)
        self.outdated = False


def nothing() -> Still:
    known = Still()
    known.read_at = STARTED_AT
    return known


def loading() -> Still:
    known = Still()
    known.entry, known.reading = ENTRY, Part.LIVE
    return known


def drifted() -> Still:
    known = nothing()
    known.entry = ENTRY
    known.live = msgspec.convert(samples.LIVE, LiveReport)
    known.provision, known.cleanup = _plan(samples.PROVISION), _plan(samples.CLEANUP)
    return known


def denied() -> Still:
    """Nothing but the saved entry could be read."""
    known = nothing()
    known.entry = ENTRY
    why = "no AWS credentials were found: give a profile with AWS_PROFILE, or log in"
    known.errors = dict.fromkeys((Part.LIVE, Part.PROVISION, Part.CLEANUP), why)
    return known


def running() -> Still:
    """In the midst of a provisioning."""
    known = drifted()
    known.run = _run(StackCommand.PROVISION, samples.PROVISIONING[:4])
    return known


def done() -> Still:
    known = drifted()
    known.run = _run(StackCommand.BUILD_IMAGE, samples.BUILDING)
    _end(known.run, RunOutcome.DONE)
    return known


def remaining() -> Still:
    known = drifted()
    known.run = _run(StackCommand.CLEANUP, samples.CLEANING)
    known.run.error = "1 resource remains"
    _end(known.run, RunOutcome.FAILED)
    return known


def _plan(report: dict[str, Any]) -> PlanReport:
    return msgspec.convert(report, PlanReport)


def _run(name: StackCommand, events: Sequence[dict[str, Any]]) -> Run:
    """An event every second and a half; the newest is two seconds old."""
    times = iter(STARTED_AT - 2 - 1.5 * (len(events) - number) for number in range(len(events) + 2))
    run = Run(name, (), {}, lambda: next(times), lambda: None)
    for event in events:
        run.record(read_event(msgspec.json.encode(event)))
    return run


def _end(run: Run, outcome: RunOutcome) -> None:
    run.outcome, run.ended = outcome, STARTED_AT - 2
    assert isinstance(run.result, DoneEvent)
