"""Launch template: tokens for metadata, encrypted disks; a changed one gets a new default version."""

from __future__ import annotations

from provisioner.clients import Clients
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    compute_resources,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_instances_have_no_way_in_and_want_tokens_for_metadata(clients: Clients) -> None:
    apply(SPEC, clients)
    groups = clients.listing("ec2", "describe_security_groups", "SecurityGroups", {})
    (group,) = (group for group in groups if group["GroupName"] == "scaler-batch-instances")
    words = {"LaunchTemplateName": "scaler-batch-instances", "Versions": ["$Default"]}
    (version,) = clients.call("ec2", "describe_launch_template_versions", words)["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert group["IpPermissions"] == []
    assert compute_resources(clients)["securityGroupIds"] == [group["GroupId"]]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True


def test_a_default_version_that_somebody_changed_is_replaced_by_a_new_one(clients: Clients) -> None:
    apply(SPEC, clients)
    name = {"LaunchTemplateName": "scaler-batch-instances"}
    clients.call("ec2", "create_launch_template_version", {**name, "LaunchTemplateData": {"InstanceType": "c7i.large"}})
    clients.call("ec2", "modify_launch_template", {**name, "DefaultVersion": "2"})
    assert "update launch template scaler-batch-instances" in changes(plan_for(SPEC, clients))
    apply(SPEC, clients)
    (template,) = clients.call("ec2", "describe_launch_templates", {})["LaunchTemplates"]
    assert template["DefaultVersionNumber"] == 3
    assert "update launch template scaler-batch-instances" not in changes(plan_for(SPEC, clients))
