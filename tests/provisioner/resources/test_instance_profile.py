"""Instance profile: it holds the role of the instances, whatever was put in."""

from __future__ import annotations

from provisioner.clients import Clients
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_a_role_that_somebody_exchanged_is_put_back(clients: Clients) -> None:
    apply(SPEC, clients)
    profile = {"InstanceProfileName": "scaler-batch-instance-us-east-1"}
    clients.call("iam", "remove_role_from_instance_profile", {**profile, "RoleName": "scaler-batch-instance-us-east-1"})
    clients.call("iam", "add_role_to_instance_profile", {**profile, "RoleName": "scaler-batch-job-us-east-1"})
    assert changes(plan_for(SPEC, clients)) == ["update instance profile scaler-batch-instance-us-east-1"]
    apply(SPEC, clients)
    assert changes(plan_for(SPEC, clients)) == []
