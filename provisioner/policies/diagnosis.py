"""Permissions of a diagnosis, why a job does not run: of the engine's why screen, and of `doctor`.

Without one of these that check is unknown, and the rest is as before.
"""

from __future__ import annotations

from typing import Final

from provisioner.policies.execution import PULL
from provisioner.policies.instance import cluster_arns
from provisioner.policies.statements import Statement, allow, of_service
from provisioner.stack.naming import Stack

IMAGE: Final = ("ecr:DescribeImages", *PULL[1:])
"""The image's platform stands in its configuration, which is fetched like a layer."""

ROLE: Final = ("iam:GetInstanceProfile", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies")
UNSCOPED: Final = (
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "servicequotas:GetServiceQuota",
)
"""Actions that take no resources."""


def diagnosis_statements(stack: Stack) -> list[Statement]:
    """Statements of a diagnosis, optional as a whole: tasks run without them."""
    role, profile = (stack.iam_arn(kind, stack.instance_role) for kind in ("role", "instance-profile"))
    return [
        allow("Diagnose", UNSCOPED, ["*"]),
        queue_and_cluster(stack),
        allow("DiagnoseImage", IMAGE, [stack.arn("ecr", f"repository/{stack.repository}")]),
        allow("DiagnoseRole", ROLE, [profile, role]),
    ]


def queue_and_cluster(stack: Stack) -> Statement:
    """Statement for the head of the queue, and the instances that have joined the cluster."""
    actions = ["batch:GetJobQueueSnapshot", *of_service("ecs", "DescribeContainerInstances", "ListContainerInstances")]
    places = [stack.arn("batch", f"job-queue/{stack.job_queue}"), *cluster_arns(stack)]
    return allow("DiagnosePlaces", actions, [*places, *cluster_arns(stack, "container-instance")])
