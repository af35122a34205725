"""Service-linked role: made when missing, shared with the account, and never removed."""

from __future__ import annotations

from provisioner.clients import Clients
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    clean,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_it_is_made_once_and_stays(clients: Clients) -> None:
    assert "create service-linked role AWSServiceRoleForBatch" in changes(plan_for(SPEC, clients))
    apply(SPEC, clients)
    clean(SPEC, clients)
    assert not any("service-linked role" in change for change in changes(plan_for(SPEC, clients)))
