"""The instances' role: which policies let them join their cluster."""

from __future__ import annotations

import pytest

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus
from tests.support.engine.diagnosed_account import diagnosis, with_answers


@pytest.mark.parametrize(("action", "result"), [("ecs:Register*", CheckStatus.PASS), ("s3:*", CheckStatus.FAIL)])
def test_an_inline_policy_may_let_instances_join(action: str, result: CheckStatus) -> None:
    statement = {"Effect": "Allow", "Action": [action], "Resource": "*"}
    account = with_answers(
        list_attached_role_policies={"AttachedPolicies": []},
        list_role_policies={"PolicyNames": ["own"]},
        get_role_policy={"PolicyDocument": {"Statement": [statement]}},
    )
    checks = {check.id: check for check in diagnosis(account).checks}
    assert checks[CheckId.INSTANCE_ROLE].result is result
