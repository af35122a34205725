"""The role of the selftest's manager: made with the exported policy alone, waited for, or told why it can't be made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError
from provisioner.policies import manager_policy
from provisioner.selftest.bench import Bench
from provisioner.selftest.manager_role import NEWS_S, ManagerRole, once_known
from provisioner.selftest.model import CheckSkipped, SelftestPatience, SelftestTarget
from provisioner.stack.naming import Stack

STACK = Stack("us-east-1", "team", "123456789012", "aws")
CALLER = "arn:aws:sts::123456789012:assumed-role/Admins/alice"


class Account(Clients):
    """IAM and STS that refuse some calls, and remember all of them."""

    def __init__(self, *denied: str) -> None:
        super().__init__("us-east-1")
        self.denied = denied
        self.calls: dict[str, Mapping[str, Any]] = {}

    def call(self, service: str, operation: str, parameters: Mapping[str, Any]) -> Document:
        self.calls[operation] = parameters
        if operation in self.denied:
            raise CallFailed(f"{service}:{operation}", "AccessDenied", "no")
        keys = {"AccessKeyId": "id", "SecretAccessKey": "secret", "SessionToken": "token"}
        return {"Arn": CALLER, "Credentials": keys}


def test_it_has_the_exported_policy_alone_and_trusts_the_caller_alone() -> None:
    account = Account()
    ManagerRole("team-selftest-1", STACK, "prefix", account).make()
    trust = json.loads(account.calls["create_role"]["AssumeRolePolicyDocument"])
    assert [one["Principal"] for one in trust["Statement"]] == [{"AWS": CALLER}]
    assert json.loads(account.calls["put_role_policy"]["PolicyDocument"]) == manager_policy(STACK, "prefix")


@pytest.mark.parametrize(
    ("denied", "is_deleted"), [("create_role", False), ("put_role_policy", True), ("delete_role_policy", True)]
)
def test_what_was_made_of_it_is_deleted_and_nothing_else(
    denied: str, is_deleted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account(denied)
    target = SelftestTarget("us-east-1", "queue", "definition", "bucket", stack=STACK)
    bench = Bench(
        target, account, {}, patience=SelftestPatience(), make_clients=lambda keys: account, config=Path("none")
    )
    bench.take_role(ManagerRole("team-selftest-1", STACK, "prefix", account))
    if denied != "delete_role_policy":
        with pytest.raises(CheckSkipped, match=f"AWS refused iam:{denied}"):
            assert bench.manager_clients
    monkeypatch.setattr(account, "listing", lambda *_: [])
    _, left = bench.clean()
    assert ("delete_role_policy" in account.calls) is is_deleted
    assert bool(left) is (denied == "delete_role_policy")


def test_news_of_iam_are_waited_for() -> None:
    pauses: list[float] = []

    def known() -> str:
        if len(pauses) < 3:
            raise CallFailed("sts:AssumeRole", "AccessDenied", "not yet")
        return "known"

    assert once_known(known, pauses.append) == "known"
    assert len(pauses) == 3


def test_news_that_never_come_are_told() -> None:
    pauses: list[float] = []

    def unknown() -> str:
        raise CallFailed("sts:AssumeRole", "AccessDenied", "not yet")

    with pytest.raises(ProvisionError, match="not yet"):
        once_known(unknown, pauses.append)
    assert sum(pauses) >= NEWS_S
