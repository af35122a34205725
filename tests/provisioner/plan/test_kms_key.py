"""A key of the user's own: which one is taken, and what the stack does with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from engine.errors import ConfigError
from provisioner.clients import Document
from provisioner.plan.kms_key import usable_key
from provisioner.plan.model import ApiCall
from provisioner.plan.planner import plan_provision
from provisioner.plan.remote import RemoteState
from provisioner.stack.spec import ProvisionSpec
from tests.support.recorded_answers import ENCRYPTED, KEY, STACK, RecordedClients

TEMPLATE = "create_launch_template"


class KeyOf(RecordedClients):
    """The account, whose key has other properties."""

    def __init__(self, **properties: object) -> None:
        super().__init__()
        self._properties = properties

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        metadata = super().call(service, operation, parameters)["KeyMetadata"]
        return {"KeyMetadata": {**metadata, **self._properties}}


@pytest.mark.parametrize("given", ["alias/team", KEY])
def test_an_alias_and_an_arn_become_the_keys_arn(given: str) -> None:
    assert usable_key(given, RecordedClients()) == KEY


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"KeyState": "PendingDeletion", "Enabled": False}, "must be an enabled key: this one is PendingDeletion."),
        ({"KeySpec": "RSA_2048"}, "must be a symmetric key that encrypts."),
        ({"KeyManager": "AWS"}, "must be a key of yours: AWS's own serve one service each."),
    ],
)
def test_a_key_that_can_not_serve_is_refused_before_anything_is_made(
    properties: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"--kms-key is 'alias/team', but {sentence}")):
        usable_key("alias/team", KeyOf(**properties))


def test_a_key_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="--kms-key is 'alias/team', but must be a key that is in us-east-1"):
        usable_key("alias/team", RecordedClients("nothing"))


def of_the_policy(spec: ProvisionSpec, when: str) -> list[str]:
    plan = plan_provision(spec, STACK, RemoteState(RecordedClients(when)))
    return [note for note in plan.notes if "The policy of" in note]


@pytest.mark.parametrize(
    ("chosen", "users", "flags"),
    [
        ({"spot": False}, "CloudWatch Logs and AWSServiceRoleForAutoScaling", ""),
        (
            {"spot": True},
            "CloudWatch Logs and AWSServiceRoleForAutoScaling and AWSServiceRoleForEC2Spot",
            " --spot",
        ),
        ({"spot": True, "fargate": True}, "CloudWatch Logs", " --spot --fargate"),
    ],
)
def test_a_plan_says_whom_the_keys_policy_must_let_use_it(chosen: dict[str, Any], users: str, flags: str) -> None:
    (note,) = of_the_policy(replace(ENCRYPTED, **chosen), "nothing")
    assert note.startswith(f"The policy of {KEY} must let {users} use it: `scaler-batch export --format policy ")
    assert f"--only kms-key --region us-east-1 --prefix team --kms-key {KEY}{flags}` prints one" in note
    assert ("create-service-linked-role" in note) == ("fargate" not in chosen)


def test_a_key_of_another_account_wants_its_policy_and_grants() -> None:
    key = KEY.replace("123456789012", "444455556666")
    found = plan_provision(replace(ENCRYPTED, kms_key=key), STACK, RemoteState(RecordedClients("nothing"))).notes
    (note,) = (one for one in found if key in one)
    assert "must let 123456789012 use it, and AWSServiceRoleForAutoScaling and AWSServiceRoleForEC2Spot need" in note


def test_what_has_the_key_already_needs_no_word_of_its_policy() -> None:
    assert of_the_policy(ENCRYPTED, "encrypted") == []


def test_instances_disks_are_under_the_key() -> None:
    plan = plan_provision(ENCRYPTED, STACK, RemoteState(RecordedClients("nothing")))
    (made,) = (step for step in plan.instructions if isinstance(step, ApiCall) and TEMPLATE in step.operation)
    (disk,) = made.parameters["LaunchTemplateData"]["BlockDeviceMappings"]  # type: ignore[index]
    assert (disk["Ebs"]["Encrypted"], disk["Ebs"]["KmsKeyId"]) == (True, KEY)
