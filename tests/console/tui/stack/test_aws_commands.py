"""AWS CLI commands to copy: one for each kind of resource, its name quoted, with the region where there is one."""

from __future__ import annotations

import pytest

from console.tui.stack.aws_commands import describe_command
from provisioner.kinds import ResourceKind


def test_a_name_is_quoted_in_a_command_to_copy() -> None:
    command = describe_command(ResourceKind.JOB_QUEUE, "a b", "eu-west-1")
    assert command == "aws batch describe-job-queues --job-queues 'a b' --region eu-west-1"


def test_iam_has_no_region() -> None:
    assert "--region" not in describe_command(ResourceKind.ROLE, "role", "eu-west-1")


@pytest.mark.parametrize("kind", ResourceKind)
def test_every_resource_has_a_command_and_what_is_none_has_not(kind: ResourceKind) -> None:
    command = describe_command(kind, "name", "eu-west-1")
    assert (command == "") is (kind is ResourceKind.IMAGE)
    assert kind is ResourceKind.IMAGE or command.startswith("aws ")
