"""moto's judgement of policies, nearer to AWS's. moto is imported by the tests that need it only: it is heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult


def deny_only_on_condition(patch: pytest.MonkeyPatch) -> None:
    """moto takes every Deny with a condition for one that is met: a bucket that wants TLS would refuse all."""
    from moto.iam.access_control import IAMPolicyStatement, PermissionResult

    decide = IAMPolicyStatement.is_action_permitted

    def decided(statement: IAMPolicyStatement, *words: Any, **names: Any) -> PermissionResult:
        if statement._statement["Effect"] == "Deny" and "Condition" in statement._statement:
            return PermissionResult.NEUTRAL
        return decide(statement, *words, **names)

    patch.setattr(IAMPolicyStatement, "is_action_permitted", decided)
