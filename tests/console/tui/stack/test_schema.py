"""Reading of what `scaler-batch` prints: newer fields are left aside, what can't be read is one sentence."""

from __future__ import annotations

import msgspec
import pytest

from console.tui.stack.schema import entry_of, read_event, read_report
from engine.errors import EngineError
from provisioner.json_schema import PlanEvent, PlanReport, ResourceReport, StackEntry, StepEvent
from provisioner.kinds import ResourceKind, StepState
from tests.support.console import stack_samples as samples

ENTRY = msgspec.convert(samples.ENTRY, StackEntry)
OTHER_ACCOUNT = msgspec.structs.replace(ENTRY, account="999999999999")
UNREADABLE = "scaler-batch answered what this console can't read .*: use one version of both"


@pytest.mark.parametrize(
    ("queue", "found"),
    [
        (samples.QUEUE, OTHER_ACCOUNT),
        (f"arn:aws:batch:{samples.REGION}:{samples.ACCOUNT}:job-queue/{samples.QUEUE}", ENTRY),
        (f"arn:aws:batch:{samples.REGION}:111111111111:job-queue/{samples.QUEUE}", None),
        ("another", None),
    ],
)
def test_a_managers_queue_tells_its_stack(queue: str, found: StackEntry | None) -> None:
    assert entry_of([OTHER_ACCOUNT, ENTRY], samples.REGION, queue) is found
    assert entry_of([OTHER_ACCOUNT, ENTRY], "us-east-2", queue) is None


def test_a_plan_is_read_with_and_without_an_events_name() -> None:
    plan = read_report(msgspec.json.encode(samples.PROVISION), PlanReport)
    event = read_event(msgspec.json.encode({"event": "plan", **samples.PROVISION}))
    assert isinstance(event, PlanEvent)
    assert event.to_do == plan.to_do
    assert len(plan.to_do) == 3


def test_a_field_of_a_newer_version_is_left_aside() -> None:
    step = read_event(msgspec.json.encode({**samples.step("image", "push", "kept"), "newer": 1}))
    assert isinstance(step, StepEvent)
    assert (step.kind, step.state) == (ResourceKind.IMAGE, StepState.KEPT)


@pytest.mark.parametrize("line", [b"", b"[]", b'{"event": "odd"}', b'{"event": "plan", "changes": [1]}'])
def test_what_is_no_event_is_one_sentence(line: bytes) -> None:
    with pytest.raises(EngineError, match=UNREADABLE):
        read_event(line)


def test_a_kind_of_another_version_is_one_sentence() -> None:
    with pytest.raises(EngineError, match=UNREADABLE):
        read_report(b'{"kind": "fountain", "name": "it"}', ResourceReport)
