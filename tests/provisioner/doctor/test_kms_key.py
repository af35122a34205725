"""The doctor names whom a key's policy must still let in, before AWS refuses it or instances end as they start."""

from __future__ import annotations

from typing import Any

import pytest

from engine.diagnosis.model import CheckStatus
from engine.diagnosis.reads import Reader
from provisioner.doctor.finding import Finding
from provisioner.doctor.kms_key import check_key, lacking_statements
from tests.support.recorded_answers import ENCRYPTED, KEY, NOW, STACK, RecordedReads


def checked(when: str) -> Finding:
    reader = Reader(RecordedReads(when), lambda: NOW, lambda seconds: None)
    return check_key(reader, ENCRYPTED, STACK.encrypted(KEY))


def test_awss_default_policy_lets_in_neither_logs_nor_the_roles_that_launch_instances() -> None:
    found = checked("")
    assert found.check.result is CheckStatus.WARN
    assert "logs.us-east-1.amazonaws.com: kms:Decrypt*" in found.check.evidence
    for role in ("AWSServiceRoleForAutoScaling", "AWSServiceRoleForEC2Spot"):
        assert f"{role}: kms:Decrypt, kms:DescribeKey" in found.check.evidence
    assert "root" not in found.check.evidence
    (fix,) = found.fixes
    place = "--region us-east-1 --prefix team"
    assert fix.command == f"scaler-batch export --format policy --only kms-key {place} --kms-key {KEY} --spot"


def test_the_exported_policy_lets_in_all() -> None:
    assert checked("encrypted").check.result is CheckStatus.PASS


@pytest.mark.parametrize(
    ("principal", "action", "lacks"),
    [
        ("*", "kms:*", False),
        ({"AWS": "*"}, ["kms:Encrypt*", "kms:CreateGrant"], False),
        ({"AWS": ["a/role"]}, "kms:Encrypt", True),
        ({"AWS": ["a/role"]}, "kms:*", False),
        ({"AWS": "another/role"}, "kms:*", True),
    ],
)
def test_a_wider_statement_is_as_good(principal: Any, action: Any, lacks: bool) -> None:
    needed = {"Effect": "Allow", "Principal": {"AWS": ["a/role"]}, "Action": ["kms:Encrypt", "kms:CreateGrant"]}
    found = {"Effect": "Allow", "Principal": principal, "Action": action}
    assert bool(lacking_statements({"Statement": found}, {"Statement": [needed]})) == lacks
