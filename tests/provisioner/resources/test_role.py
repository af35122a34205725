"""IAM roles: bounded where a boundary is asked for; tags of others stay."""

from __future__ import annotations

import dataclasses

from provisioner.clients import Clients
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    NOTHING_MUCH,
    apply,
    changes,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_roles_carry_the_boundary_that_was_asked_for(clients: Clients) -> None:
    words = {"PolicyName": "edge", "PolicyDocument": NOTHING_MUCH}
    boundary = clients.call("iam", "create_policy", words)["Policy"]["Arn"]
    apply(dataclasses.replace(SPEC, permissions_boundary=boundary), clients)
    role = clients.call("iam", "get_role", {"RoleName": "scaler-batch-job-us-east-1"})["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary


def test_tags_of_others_are_no_difference(clients: Clients) -> None:
    apply(SPEC, clients)
    role = {"RoleName": "scaler-batch-job-us-east-1", "Tags": [{"Key": "cost-center", "Value": "7"}]}
    clients.call("iam", "tag_role", role)
    assert changes(plan_for(SPEC, clients)) == []
