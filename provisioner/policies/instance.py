"""What the ECS agent of an instance does to register itself and to run containers.

The actions of AWS's managed policy AmazonEC2ContainerServiceforEC2Role, without pulling images and writing logs:
the agent does these with the jobs' execution role.
"""

from __future__ import annotations

from provisioner.policies.statements import Policy, allow, document, of_service
from provisioner.stack import Stack

CREATIONS = ("CreateCluster", "RegisterContainerInstance")
ON_CLUSTERS = (
    "CreateCluster",
    "DeregisterContainerInstance",
    "RegisterContainerInstance",
    "SubmitAttachmentStateChanges",
    "SubmitContainerStateChange",
    "SubmitTaskStateChange",
)
ON_INSTANCES = ("Poll", "StartTelemetrySession", "UpdateContainerInstancesState")


def instance_policy(stack: Stack | None = None) -> Policy:
    """AWS Batch names the cluster, so all of the account's in this region; without a stack of any."""
    clusters = "*" if stack is None else stack.arn("ecs", "cluster/*")
    instances = "*" if stack is None else stack.arn("ecs", "container-instance/*")
    tagged = {"StringEquals": {"ecs:CreateAction": list(CREATIONS)}}
    return document(
        [
            allow("Agent", ["ec2:DescribeTags", "ecs:DiscoverPollEndpoint"], ["*"]),
            allow("Clusters", of_service("ecs", *ON_CLUSTERS), [clusters]),
            allow("Instances", of_service("ecs", *ON_INSTANCES), [instances]),
            allow("TagOnCreate", ["ecs:TagResource"], [clusters, instances], tagged),
        ]
    )
