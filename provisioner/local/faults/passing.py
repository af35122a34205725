"""AWS's refusals that pass by themselves, in its words: what the fault `refuse` lets a service say.

Sources: the API references' errors of each operation, and the reports that `provisioner/plan/refusals.py` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RefusalName(StrEnum):
    """MomentaryRefusal by AWS's code; where that is a bare ClientException, by a name of ours."""

    NO_SUCH_BUCKET = "NoSuchBucket"
    OPERATION_ABORTED = "OperationAborted"
    JOB_QUEUE_RELATIONSHIP = "JobQueueRelationship"
    BEING_MODIFIED = "BeingModified"
    NO_GROUP = "InvalidGroup.NotFound"
    NO_TEMPLATE = "InvalidLaunchTemplateName.NotFoundException"
    DEPENDENCY_VIOLATION = "DependencyViolation"
    NO_ENTITY = "NoSuchEntity"
    CONCURRENT_MODIFICATION = "ConcurrentModification"
    NO_RESOURCE = "ResourceNotFoundException"
    LOGS_ABORTED = "OperationAbortedException"
    NO_REPOSITORY = "RepositoryNotFoundException"


@dataclass(frozen=True, slots=True)
class PassingAnswer:
    """Error answer: HTTP status, code and text."""

    status: int
    code: str
    text: str


GROUP_LOST: Final = "The security group 'sg-0a1b2c3d4e5f60718' does not exist"
TEMPLATE_LOST: Final = "At least one of the launch templates specified in the request does not exist."
BY_EC2: Final = "{text} (Service: AmazonEC2; Status Code: 400; Error Code: {code}; Request ID: local; Proxy: null)"


def _of_batch(text: str) -> PassingAnswer:
    return PassingAnswer(400, "ClientException", text)


PASSING_ANSWERS: Final[Mapping[tuple[str, RefusalName], PassingAnswer]] = {
    ("s3", RefusalName.NO_SUCH_BUCKET): PassingAnswer(404, "NoSuchBucket", "The specified bucket does not exist"),
    ("s3", RefusalName.OPERATION_ABORTED): PassingAnswer(
        409,
        "OperationAborted",
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),
    ("batch", RefusalName.JOB_QUEUE_RELATIONSHIP): _of_batch("Cannot delete, found existing JobQueue relationship"),
    ("batch", RefusalName.BEING_MODIFIED): _of_batch("Cannot update, resource is being modified"),
    ("batch", RefusalName.NO_GROUP): _of_batch(BY_EC2.format(text=GROUP_LOST, code=RefusalName.NO_GROUP)),
    ("batch", RefusalName.NO_TEMPLATE): _of_batch(BY_EC2.format(text=TEMPLATE_LOST, code=RefusalName.NO_TEMPLATE)),
    ("ec2", RefusalName.NO_GROUP): PassingAnswer(400, "InvalidGroup.NotFound", GROUP_LOST),
    ("ec2", RefusalName.NO_TEMPLATE): PassingAnswer(400, RefusalName.NO_TEMPLATE, TEMPLATE_LOST),
    ("ec2", RefusalName.DEPENDENCY_VIOLATION): PassingAnswer(
        400, "DependencyViolation", "resource sg-0a1b2c3d4e5f60718 has a dependent object"
    ),
    ("iam", RefusalName.NO_ENTITY): PassingAnswer(404, "NoSuchEntity", "The role with name it cannot be found."),
    ("iam", RefusalName.CONCURRENT_MODIFICATION): PassingAnswer(
        409,
        "ConcurrentModification",
        "The request was rejected because multiple requests to change this object were submitted simultaneously. "
        "Wait a few minutes and submit your request again.",
    ),
    ("logs", RefusalName.NO_RESOURCE): PassingAnswer(
        400, "ResourceNotFoundException", "The specified log group does not exist."
    ),
    ("logs", RefusalName.LOGS_ABORTED): PassingAnswer(
        400, "OperationAbortedException", "Multiple concurrent requests to update the same resource were in conflict."
    ),
    ("ecr", RefusalName.NO_REPOSITORY): PassingAnswer(
        400,
        "RepositoryNotFoundException",
        "The repository with name 'it' does not exist in the registry with id '123456789012'",
    ),
}
"""What each service says, by its name in a signature's scope."""


def gives(api: str, name: RefusalName) -> bool:
    """Whether a service that a fault's API names can refuse so; an operation alone, or `*`, may be any service's."""
    service, dot, _ = api.lower().partition(".")
    known = {of for of, _ in PASSING_ANSWERS}
    return (service, name) in PASSING_ANSWERS if dot or service in known else True
