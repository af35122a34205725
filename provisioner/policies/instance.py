"""Policy of the instances' role, with which the ECS agent registers itself and runs containers.

The actions of AWS's managed policy AmazonEC2ContainerServiceforEC2Role, without pulling images and writing logs:
the agent does these with the jobs' execution role.
"""

from __future__ import annotations

from typing import Final

from provisioner.policies.statements import Policy, allow, document, of_service
from provisioner.stack.naming import Stack

CREATIONS: Final = ("CreateCluster", "RegisterContainerInstance")
ON_CLUSTERS: Final = (
    "CreateCluster",
    "DeregisterContainerInstance",
    "RegisterContainerInstance",
    "SubmitAttachmentStateChanges",
    "SubmitContainerStateChange",
    "SubmitTaskStateChange",
)
ON_INSTANCES: Final = ("Poll", "StartTelemetrySession", "UpdateContainerInstancesState")


UUID: Final = "-".join("?" * length for length in (8, 4, 4, 4, 12))
"""Pattern of exactly as many characters: a star would match the clusters of other prefixes that begin with ours."""


def clusters_of(stack: Stack) -> list[str]:
    """Patterns of the names of the stack's ECS clusters: AWS Batch calls one `AWSBatch-<environment>-<uuid>`."""
    return [f"AWSBatch-{name}-{UUID}" for name in (stack.compute_environment, stack.spot_environment)]


def cluster_arns(stack: Stack, kind: str = "") -> list[str]:
    """ARNs of the stack's ECS clusters; with a kind, like container-instance, of all of these in them."""
    names = clusters_of(stack)
    return [stack.arn("ecs", f"{kind}/{name}/*" if kind else f"cluster/{name}") for name in names]


def instance_policy(stack: Stack) -> Policy:
    """Policy for the clusters of the stack's environments only."""
    clusters, instances = cluster_arns(stack), cluster_arns(stack, "container-instance")
    tagged = {"StringEquals": {"ecs:CreateAction": list(CREATIONS)}}
    return document(
        [
            allow("Agent", ["ec2:DescribeTags", "ecs:DiscoverPollEndpoint"], ["*"]),
            allow("Clusters", of_service("ecs", *ON_CLUSTERS), clusters),
            allow("Instances", of_service("ecs", *ON_INSTANCES), instances),
            allow("TagOnCreate", ["ecs:TagResource"], [*clusters, *instances], tagged),
            allow("ReadTags", ["ecs:ListTagsForResource"], [*instances, *cluster_arns(stack, "task")]),
        ]
    )
