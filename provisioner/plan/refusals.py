"""Refusals of AWS that pass by themselves, and how long they last: the one table of them.

Creations and deletions reach the parts of a service one after another, and botocore tries none of these again. The
times are those that Terraform's provider came to wait, by its users' reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.aws.error_codes import DENIED_CODES
from provisioner.errors import CallFailed
from provisioner.plan.model import ApiCall

OWN_PATIENCE_S: Final = 120.0
"""Of what a call names itself as passing: IAM's changes propagate within seconds."""

MAKING: Final = ("create_", "put_", "add_", "tag_", "modify_", "update_", "register_")
DELETING: Final = ("delete_", "remove_", "deregister_")


@dataclass(frozen=True, slots=True)
class PassingRefusal:
    """Refusal of a service's operations whose names begin so, known by a part of its code or text."""

    service: str
    words: str
    operations: tuple[str, ...]
    patience_s: float


PASSING: Final = (
    # https://github.com/hashicorp/terraform-provider-aws/issues/7628, /33478 and /33531
    PassingRefusal("s3", "NoSuchBucket", MAKING, 120.0),
    PassingRefusal("s3", "OperationAborted", ("put_", "delete_"), 120.0),
    # of a bucket that was just deleted: https://github.com/aws/aws-cli/issues/2593
    PassingRefusal("s3", "OperationAborted", ("create_bucket",), 3600.0),
    # https://github.com/hashicorp/terraform-provider-aws/issues/46925 and /13221
    PassingRefusal("batch", "found existing JobQueue relationship", DELETING, 600.0),
    PassingRefusal("batch", "resource is being modified", (*MAKING, *DELETING), 900.0),
    # what was made in the call before isn't there yet
    PassingRefusal("ec2", "InvalidGroup.NotFound", MAKING, 120.0),
    PassingRefusal("ec2", "InvalidLaunchTemplateName.NotFound", MAKING, 120.0),
    PassingRefusal("batch", "InvalidGroup.NotFound", MAKING, 120.0),
    PassingRefusal("batch", "InvalidLaunchTemplateName.NotFound", MAKING, 120.0),
    PassingRefusal("iam", "NoSuchEntity", MAKING, 60.0),
    PassingRefusal("logs", "ResourceNotFoundException", MAKING, 60.0),
    PassingRefusal("ecr", "RepositoryNotFoundException", MAKING, 60.0),
    # two changes of one thing
    PassingRefusal("iam", "ConcurrentModification", (*MAKING, *DELETING), 120.0),
    PassingRefusal("logs", "OperationAbortedException", (*MAKING, *DELETING), 120.0),
    # network interfaces of instances that just ended
    PassingRefusal("ec2", "DependencyViolation", DELETING, 600.0),
)


EXISTS_CODES: Final = frozenset(
    (
        "BucketAlreadyOwnedByYou",
        "EntityAlreadyExists",
        "InvalidGroup.Duplicate",
        "InvalidLaunchTemplateName.AlreadyExistsException",
        "RepositoryAlreadyExistsException",
        "ResourceAlreadyExistsException",
    )
)
BATCH_EXISTS: Final = "already exists"
"""In the text of Batch's ClientException; S3's BucketAlreadyExists is another account's bucket, and not among these."""


def says_exists(call: ApiCall, error: CallFailed) -> bool:
    """Tell whether what a call was to make is there: another run, or an earlier sending, may have made it."""
    if not call.operation.startswith("create_"):
        return False
    return error.code in EXISTS_CODES or (call.service == "batch" and BATCH_EXISTS in str(error).lower())


def patience_for(call: ApiCall, error: CallFailed) -> float:
    """Seconds for which a refusal is tried again, 0 for one that stays: a permission that is lacking doesn't come."""
    if error.code in DENIED_CODES:
        return 0.0
    text = f"{error.code}: {error}"
    own = OWN_PATIENCE_S if any(part in text for part in call.transient) else 0.0
    return max((one.patience_s for one in PASSING if _fits(one, call, text)), default=0.0) or own


def _fits(refusal: PassingRefusal, call: ApiCall, text: str) -> bool:
    return refusal.service == call.service and call.operation.startswith(refusal.operations) and refusal.words in text


LONGEST_PATIENCE_S: Final = max(one.patience_s for one in PASSING)
