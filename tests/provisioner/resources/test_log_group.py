"""Log group: a changed retention is set again."""

from __future__ import annotations

from provisioner.clients import Clients
from provisioner.kinds import ResourceKind
from provisioner.resources.log_group import RETENTION_DAYS
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    change_of,
    changes,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_a_changed_retention_is_set_again(clients: Clients) -> None:
    apply(SPEC, clients)
    clients.call("logs", "put_retention_policy", {"logGroupName": "/scaler/scaler-batch", "retentionInDays": 1})
    change = change_of(plan_for(SPEC, clients), ResourceKind.LOG_GROUP)
    assert [(field.path, field.before, field.after) for field in change.fields] == [
        ("retentionInDays", 1, RETENTION_DAYS)
    ]
    apply(SPEC, clients)
    assert changes(plan_for(SPEC, clients)) == []
