"""What finding out why a job does not run reads: the engine's why screen, and `doctor`.

Whoever may not read one of these sees that check as unknown, and the rest as before.
"""

from __future__ import annotations

from typing import Final

from provisioner.policies.execution import PULL
from provisioner.policies.instance import cluster_of
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
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "servicequotas:GetServiceQuota",
)
"""What knows no resources."""


def diagnosis_statements(stack: Stack) -> list[Statement]:
    """Optional as a whole: tasks run without them."""
    role, profile = (stack.iam_arn(kind, stack.instance_role) for kind in ("role", "instance-profile"))
    return [
        allow("Diagnose", UNSCOPED, ["*"]),
        queue_and_cluster(stack),
        allow("DiagnoseImage", IMAGE, [stack.arn("ecr", f"repository/{stack.repository}")]),
        allow("DiagnoseRole", ROLE, [profile, role]),
    ]


def queue_and_cluster(stack: Stack) -> Statement:
    """Who is at the queue's head, and which instances have joined."""
    cluster = cluster_of(stack)
    actions = ["batch:GetJobQueueSnapshot", *of_service("ecs", "DescribeContainerInstances", "ListContainerInstances")]
    clusters = [stack.arn("ecs", f"cluster/{cluster}"), stack.arn("ecs", f"container-instance/{cluster}/*")]
    return allow("DiagnosePlaces", actions, [stack.arn("batch", f"job-queue/{stack.job_queue}"), *clusters])
