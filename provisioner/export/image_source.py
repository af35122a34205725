"""Where the image of a template comes from: parameters by which one template serves images of any registry. Pure.

Two things depend on it: whether the template makes the stack's own repository, which `build-image` makes, too, and
which repository the execution role may pull from.
"""

from __future__ import annotations

from typing import Any, Final

from engine.aws.ecr import ECR_IMAGE
from provisioner.clients import Document
from provisioner.export.intrinsics import References, ref, referring
from provisioner.policies import execution_policy
from provisioner.resources.repository import Repository
from provisioner.resources.resource import Resource
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

CREATE_REPOSITORY: Final = "CreateRepository"
IMAGE_REPOSITORY: Final = "ImageRepository"
KMS_KEY: Final = "KmsKey"
"""Parameters."""

CREATES_REPOSITORY: Final = "CreatesRepository"
PULLS_OWN: Final = "PullsFromOwnRepository"
PULLS_NOTHING: Final = "PullsFromNoRepository"
"""Conditions."""

OWN: Final = "own"
NONE: Final = "none"
ELSEWHERE: Final = "another.registry/image"
"""Image that needs no permission to be pulled."""


def source_parameters(spec: ProvisionSpec, stack: Stack) -> Document:
    """Parameters of the image's source; their defaults are what the spec's image says."""
    parameters: Document = {
        IMAGE_REPOSITORY: {
            "Type": "String",
            "Description": "Where Image lies: own (this stack's repository), none (not in Amazon ECR), or another "
            "repository of ECR as REGION:ACCOUNT:repository/NAME",
            "AllowedPattern": "own|none|[a-z0-9-]+:[0-9]{12}:repository/.+",
            "Default": image_source(spec),
        }
    }
    if Repository(stack).is_desired(spec):
        parameters[CREATE_REPOSITORY] = {
            "Type": "String",
            "Description": "false: the repository is there, because build-image made it",
            "AllowedValues": ["true", "false"],
            "Default": "true" if spec.image is None else "false",
        }
    return parameters


def conditions(spec: ProvisionSpec, stack: Stack) -> Document:
    """Conditions on those parameters."""
    source = ref(IMAGE_REPOSITORY)
    found: Document = {
        PULLS_OWN: {"Fn::Equals": [source, OWN]},
        PULLS_NOTHING: {"Fn::Equals": [source, NONE]},
    }
    if Repository(stack).is_desired(spec):
        found[CREATES_REPOSITORY] = {"Fn::Equals": [ref(CREATE_REPOSITORY), "true"]}
    return found


def pulled_repository(stack: Stack) -> References:
    """Reference to the ARN of the image's repository, in the place of the stack's own."""
    own = Repository(stack).arn
    other = {"Fn::Sub": "arn:${AWS::Partition}:ecr:${" + IMAGE_REPOSITORY + "}"}
    return {own: {"Fn::If": [PULLS_OWN, {"Fn::Sub": own}, other]}}


def pull_by_parameter(resource: Resource, properties: Document) -> Document:
    """Properties of the execution role, whose policy pulls only what is in ECR; of all else as they are."""
    stack = resource.stack
    if resource.name != stack.execution_role:
        return properties
    without = referring(execution_policy(stack, ELSEWHERE), {stack.kms_key: ref(KMS_KEY)} if stack.kms_key else {})
    policies: list[dict[str, Any]] = properties["Policies"]
    chosen = [
        {**one, "PolicyDocument": {"Fn::If": [PULLS_NOTHING, without, one["PolicyDocument"]]}} for one in policies
    ]
    return {**properties, "Policies": chosen}


def image_source(spec: ProvisionSpec) -> str:
    """Source of the spec's image, as the parameter has it."""
    if spec.image is None:
        return OWN
    found = ECR_IMAGE.fullmatch(spec.image)
    return NONE if found is None else f"{found['region']}:{found['account']}:repository/{found['repository']}"
