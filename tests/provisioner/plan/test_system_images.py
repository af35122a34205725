"""Newer system images of AWS's: shown by plan and doctor, taken when they are asked for."""

from __future__ import annotations

from engine.diagnosis.model import CheckStatus
from provisioner.doctor.stack_resources import check_resources
from provisioner.kinds import PlanAction
from provisioner.plan.model import ApiCall, Plan
from provisioner.plan.planner import plan_provision
from provisioner.plan.remote import RemoteState
from tests.support.recorded_answers import SPEC, STACK, RecordedClients

NOTE = "team-spot: AWS has a newer system image; `provision --refresh-ami` takes it."


def planned(when: str, *, refresh_ami: bool = False) -> Plan:
    return plan_provision(SPEC, STACK, RemoteState(RecordedClients(when)), refresh_ami=refresh_ami)


def test_a_plan_tells_of_a_newer_image_and_leaves_it() -> None:
    plan = planned("scaled")
    assert NOTE in plan.notes
    assert not plan


def test_it_is_taken_when_asked_for_and_jobs_have_their_time() -> None:
    plan = planned("scaled", refresh_ami=True)
    (change,) = [one for one in plan.changes if one.action is not PlanAction.KEEP]
    (call,) = [step for step in change.steps if isinstance(step, ApiCall)]
    assert call.parameters == {
        "computeEnvironment": "team-spot",
        "updatePolicy": {"terminateJobsOnUpdate": False, "jobExecutionTimeoutMinutes": 60},
        "computeResources": {"updateToLatestImageVersion": True},
    }
    assert change.note.startswith("replaces instances")
    assert NOTE not in plan.notes


def test_where_all_are_the_latest_there_is_nothing_to_take() -> None:
    assert not planned("", refresh_ami=True)


def test_doctor_warns_of_a_newer_image_with_the_command() -> None:
    found = check_resources(RecordedClients("scaled"), SPEC, STACK)
    assert (found.check.result, found.check.evidence) == (CheckStatus.WARN, NOTE)
    assert found.fixes[0].command.endswith("--prefix team --refresh-ami")
