"""What was provisioned and is gone is a failure of the doctor, by name; what somebody changed is a warning."""

from __future__ import annotations

import pytest

from engine.diagnosis.model import CheckStatus
from provisioner.clients import Document
from provisioner.doctor.stack_resources import check_resources
from provisioner.errors import CallFailed
from provisioner.kinds import ResourceKind
from tests.support.recorded_answers import SPEC, STACK, RecordedClients, name_of


class Changed(RecordedClients):
    """One operation refuses with a code, or answers otherwise."""

    def __init__(self, operation: str, code: str = "", answer: Document | None = None, **only: object) -> None:
        super().__init__()
        self._operation = operation
        self._code = code
        self._answer = answer
        self._only = only

    def call(self, service: str, operation: str, parameters) -> Document:  # type: ignore[no-untyped-def]
        if operation != self._operation or not self._only.items() <= dict(parameters).items():
            return super().call(service, operation, parameters)
        if self._code:
            raise CallFailed(f"{service}:{name_of(operation)}", self._code, "said AWS")
        return self._answer or {}


@pytest.mark.parametrize(
    ("clients", "kind"),
    [
        (Changed("head_bucket", "404"), ResourceKind.BUCKET),
        (Changed("describe_log_groups", answer={"logGroups": []}), ResourceKind.LOG_GROUP),
        (Changed("get_role", "NoSuchEntity", RoleName="team-job-us-east-1"), ResourceKind.ROLE),
        (Changed("describe_security_groups", answer={"SecurityGroups": []}), ResourceKind.SECURITY_GROUP),
        (
            Changed("describe_launch_templates", "InvalidLaunchTemplateName.NotFoundException"),
            ResourceKind.LAUNCH_TEMPLATE,
        ),
    ],
    ids=lambda one: str(one) if isinstance(one, ResourceKind) else "",
)
def test_what_is_gone_is_a_failure_that_names_it(clients: RecordedClients, kind: ResourceKind) -> None:
    found = check_resources(clients, SPEC, STACK)
    assert found.check.result is CheckStatus.FAIL
    assert f"MISSING: {kind} " in found.check.evidence
    (fix,) = found.fixes
    assert fix.command == "scaler-batch provision --region us-east-1 --prefix team"


def test_what_somebody_changed_is_a_warning_with_its_field() -> None:
    group = {"logGroupName": "/scaler/team", "retentionInDays": 1}
    found = check_resources(Changed("describe_log_groups", answer={"logGroups": [group]}), SPEC, STACK)
    assert found.check.result is CheckStatus.WARN
    assert "/scaler/team (retentionInDays)" in found.check.evidence


def test_what_may_not_be_read_is_unknown() -> None:
    found = check_resources(Changed("get_role", "AccessDenied"), SPEC, STACK)
    assert found.check.result is CheckStatus.UNKNOWN
    assert "AccessDenied" in found.check.evidence


def test_a_stack_as_it_was_provisioned_passes() -> None:
    assert check_resources(RecordedClients(), SPEC, STACK).check.result is CheckStatus.PASS
