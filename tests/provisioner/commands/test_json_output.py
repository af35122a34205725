"""JSON output: the keys that programs read, exactly and in their order."""

from __future__ import annotations

import json

import pytest

from provisioner.commands.json_output import (
    as_line,
    image_event,
    plan_event,
    plan_report,
    progress_event,
    remains_event,
    removal_event,
    resource_reports,
)
from provisioner.image.events import ImageStep, OutputLine
from provisioner.json_schema import DoneEvent, FailedEvent, LiveReport, SavedReport
from provisioner.kinds import PlanAction, ResourceKind, StepState
from provisioner.plan.cleanup import Remains, Removal
from provisioner.plan.drift import LiveResource
from provisioner.plan.executor import Progress
from provisioner.plan.model import Change, FieldChange, Plan, Variable
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import ProvisionSpec

STACK = Stack("us-east-1", "team", "123456789012", "aws")
FIELD = FieldChange("launchTemplate.version", None, {"version": Variable("version")})
CHANGE = Change(PlanAction.UPDATE, ResourceKind.JOB_QUEUE, "team-queue", (FIELD,), note="taken over")
PLAN = {
    "account": "123456789012",
    "region": "us-east-1",
    "prefix": "team",
    "changes": [
        {
            "action": "update",
            "kind": "job queue",
            "name": "team-queue",
            "fields": [{"path": "launchTemplate.version", "before": None, "after": {"version": "(known after apply)"}}],
            "note": "taken over",
        }
    ],
    "notes": ["a note"],
    "summary": {"create": 0, "update": 1, "replace": 0, "delete": 0, "keep": 0},
}
ENTRY = Provisioned.of(ProvisionSpec(image="worker:1", prefix="team"), STACK)
ENTRY_KEYS = [
    "account", "region", "prefix", "bucket", "job_queue", "job_definition", "compute_environment", "log_group",
    "job_role", "execution_role", "instance_role", "image", "vcpus", "memory", "container_memory", "max_vcpus",
    "instance_types", "job_timeout_minutes", "gpus", "spot", "vpc_id", "subnet_ids", "permissions_boundary",
    "s3_prefix", "expiry_days", "runnable_limit_minutes", "complete", "begun", "disk_gib", "shm_mib", "efs",
    "ami", "fargate", "tags", "kms_key",
]  # fmt: skip
QUEUE = {"kind": "job queue", "name": "team-queue"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (plan_report(Plan((CHANGE,), ("a note",)), STACK), PLAN),
        (plan_event(Plan((CHANGE,), ("a note",)), STACK), {"event": "plan", **PLAN}),
        (
            progress_event(Progress(CHANGE, StepState.RUNNING, "wait")),
            {"event": "step", **QUEUE, "action": "update", "state": "running", "text": "wait"},
        ),
        (
            removal_event(Removal(ResourceKind.JOB_QUEUE, "team-queue", StepState.GONE)),
            {"event": "step", **QUEUE, "action": "delete", "state": "already gone", "text": ""},
        ),
        (
            image_event(ImageStep("push", StepState.RUNNING, "it")),
            {"event": "step", "kind": "image", "name": "push", "action": "create", "state": "running", "text": "it"},
        ),
        (image_event(OutputLine("1/5")), {"event": "line", "text": "1/5"}),
        (remains_event([]), {"event": "done", "remains": []}),
        (
            remains_event([Remains(ResourceKind.JOB_QUEUE, "team-queue", "denied", "aws batch")]),
            {"event": "done", "remains": [{**QUEUE, "why": "denied", "command": "aws batch"}]},
        ),
        (
            DoneEvent(image="worker@sha256:1", tag="py3", built=False),
            {"event": "done", "image": "worker@sha256:1", "tag": "py3", "built": False},
        ),
        (FailedEvent("why"), {"event": "failed", "error": "why"}),
        (SavedReport(), {"entries": [], "upstream": None}),
    ],
)
def test_programs_read_these_keys_in_this_order(document: object, expected: dict[str, object]) -> None:
    assert as_line(document) == json.dumps(expected)


def test_an_entry_has_all_its_keys_wherever_it_is_told() -> None:
    resource = LiveResource(ResourceKind.JOB_QUEUE, "team-queue", "arn", "VALID", detail="order")
    live = json.loads(as_line(LiveReport(ENTRY, 1.5, resource_reports([resource]))))
    assert list(live) == ["entry", "read_at", "resources"]
    assert list(live["entry"]) == ENTRY_KEYS
    expected = {**QUEUE, "arn": "arn", "state": "VALID", "drift": [], "detail": "order", "error": ""}
    assert list(live["resources"][0].items()) == list(expected.items())
    done = json.loads(as_line(DoneEvent(provisioned=ENTRY)))
    assert list(done) == ["event", "provisioned"]
    assert list(done["provisioned"]) == ENTRY_KEYS
