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


def cluster_of(stack: Stack) -> str:
    """Pattern of the stack's ECS clusters: AWS Batch names an environment's `AWSBatch-<environment>-<uuid>`."""
    return f"AWSBatch-{stack.prefix}-*"


def instance_policy(stack: Stack) -> Policy:
    """Policy for the clusters of the stack's environments only."""
    cluster = cluster_of(stack)
    clusters, instances = stack.arn("ecs", f"cluster/{cluster}"), stack.arn("ecs", f"container-instance/{cluster}/*")
    tasks = stack.arn("ecs", f"task/{cluster}/*")
    tagged = {"StringEquals": {"ecs:CreateAction": list(CREATIONS)}}
    return document(
        [
            allow("Agent", ["ec2:DescribeTags", "ecs:DiscoverPollEndpoint"], ["*"]),
            allow("Clusters", of_service("ecs", *ON_CLUSTERS), [clusters]),
            allow("Instances", of_service("ecs", *ON_INSTANCES), [instances]),
            allow("TagOnCreate", ["ecs:TagResource"], [clusters, instances], tagged),
            allow("ReadTags", ["ecs:ListTagsForResource"], [instances, tasks]),
        ]
    )
