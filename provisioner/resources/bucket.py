"""The S3 bucket of payloads and results: no public access, and everything in it expires after a day."""

from __future__ import annotations

from provisioner.clients import Document
from provisioner.errors import ProvisionError
from provisioner.models import ApiCall, EmptyBucket, Instruction
from provisioner.remote import RemoteState
from provisioner.spec import S3_PREFIX, ProvisionSpec
from provisioner.stack import TAG, Stack

EXPIRY_RULE = "scaler-batch-expiry"
EXPIRY_DAYS = 1

PUBLIC_ACCESS_BLOCK = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


class Bucket:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._name = stack.bucket

    def changes(self, spec: ProvisionSpec, remote: RemoteState) -> list[Instruction]:
        if not self._exists(remote):
            return [*self._creation(), self._block_public_access(), self._expire([])]
        changes: list[Instruction] = []
        if self._public_access(remote) != PUBLIC_ACCESS_BLOCK:
            changes.append(self._block_public_access())
        rules = self._rules(remote)
        if _expiry_rule() not in rules:
            changes.append(self._expire([rule for rule in rules if rule.get("ID") != EXPIRY_RULE]))
        return changes

    def removal(self, remote: RemoteState) -> list[Instruction]:
        """Raises `ProvisionError` for a bucket that lacks our tag: its data isn't ours to delete."""
        if not self._exists(remote):
            return []
        if not self._is_ours(remote):
            raise ProvisionError(
                f"The bucket {self._name} lacks the tag {TAG}={self._stack.prefix}, so somebody else made it: "
                "tag it if everything in it may be deleted, or remove it by hand."
            )
        return [
            EmptyBucket(f"empty bucket {self._name}", self._name),
            self._call("delete bucket", "delete_bucket"),
        ]

    def _exists(self, remote: RemoteState) -> bool:
        return remote.get("s3", "head_bucket", missing="404", Bucket=self._name) is not None

    def _is_ours(self, remote: RemoteState) -> bool:
        tags = remote.get("s3", "get_bucket_tagging", missing="NoSuchTagSet", Bucket=self._name)
        return tags is not None and self._stack.tag_list[0] in tags["TagSet"]

    def _public_access(self, remote: RemoteState) -> Document | None:
        missing = "NoSuchPublicAccessBlockConfiguration"
        found = remote.get("s3", "get_public_access_block", missing=missing, Bucket=self._name)
        return found and found["PublicAccessBlockConfiguration"]

    def _rules(self, remote: RemoteState) -> list[Document]:
        found = remote.get(
            "s3",
            "get_bucket_lifecycle_configuration",
            missing="NoSuchLifecycleConfiguration",
            Bucket=self._name,
        )
        return list(found["Rules"]) if found else []

    def _creation(self) -> list[Instruction]:
        # us-east-1 is the one region that CreateBucket refuses to be told.
        place = {"LocationConstraint": self._stack.region}
        where = {} if self._stack.region == "us-east-1" else {"CreateBucketConfiguration": place}
        return [
            self._call("create bucket", "create_bucket", **where),
            self._call("tag bucket", "put_bucket_tagging", Tagging={"TagSet": self._stack.tag_list}),
        ]

    def _block_public_access(self) -> Instruction:
        return self._call(
            "block public access to bucket",
            "put_public_access_block",
            PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCK,
        )

    def _expire(self, foreign: list[Document]) -> Instruction:
        """Rules of others stay: PutBucketLifecycleConfiguration replaces all of them."""
        return self._call(
            f"expire after {EXPIRY_DAYS} day what is in bucket",
            "put_bucket_lifecycle_configuration",
            LifecycleConfiguration={"Rules": [*foreign, _expiry_rule()]},
        )

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self._name}", "s3", operation, {"Bucket": self._name, **parameters})


def _expiry_rule() -> Document:
    return {
        "ID": EXPIRY_RULE,
        "Filter": {"Prefix": f"{S3_PREFIX}/"},
        "Status": "Enabled",
        "Expiration": {"Days": EXPIRY_DAYS},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": EXPIRY_DAYS},
    }
