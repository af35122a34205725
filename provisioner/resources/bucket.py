"""S3 bucket of payloads and results: private, encrypted, TLS only, and what is in it expires."""

from __future__ import annotations

import json
from typing import Final

from engine.aws.error_codes import DENIED_CODES
from provisioner.clients import Document
from provisioner.errors import CallFailed, ProvisionError
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, EmptyBucket, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.stack.naming import Stack, as_tag_list, from_tag_list
from provisioner.stack.spec import ProvisionSpec

EXPIRY_RULE: Final = "scaler-batch-expiry"
TLS_ONLY: Final = "TLSOnly"

PUBLIC_ACCESS_BLOCK: Final = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
KMS: Final = "aws:kms"
OWNERSHIP: Final = "BucketOwnerEnforced"
ENCRYPTION: Final = {"SSEAlgorithm": "AES256"}


class Bucket(Resource):
    """S3 bucket of a stack.

    Tags, lifecycle rules and policy statements of others stay: each is replaced as a whole, so they are put back. Each
    call names the account that owns the bucket: after a cleanup anybody may make one of its name.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """

    kind = ResourceKind.BUCKET
    exact = frozenset({"tlsOnly"})

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.bucket)

    @property
    def arn(self) -> str:
        """ARN of the bucket, which has neither region nor account."""
        return self.stack.bucket_arn

    @property
    def remove_command(self) -> str:
        """AWS CLI command that empties and deletes the bucket."""
        return f"aws s3 rb s3://{self.name} --force --region {self.stack.region}"

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Bucket with its settings, and in `kept` the lifecycle rules and policy statements of others."""
        if self._head(remote) is None:
            return None
        rules, statements, tags = self._lifecycle_rules(remote), self._statements(remote), self._tags(remote)
        foreign = {
            "rules": [rule for rule in rules if rule.get("ID") != EXPIRY_RULE],
            "statements": [one for one in statements if one.get("Sid") != TLS_ONLY],
            "tags": self.stack.others_of(tags),
        }
        return ObservedResource(
            {
                "tags": self.stack.ours_of(tags),
                "ownership": self._ownership(remote),
                "encryption": self._encryption(remote),
                "publicAccessBlock": self._public_access_block(remote),
                "expiry": next((rule for rule in rules if rule.get("ID") == EXPIRY_RULE), None),
                "tlsOnly": next((one for one in statements if one.get("Sid") == TLS_ONLY), None),
            },
            kept=foreign,
        )

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Private, encrypted, TLS only, with an expiry below the key prefix."""
        return {
            "tags": self.stack.tags,
            "ownership": OWNERSHIP,
            "encryption": self._wanted_encryption,
            "publicAccessBlock": PUBLIC_ACCESS_BLOCK,
            "expiry": expiry_rule(spec),
            "tlsOnly": tls_only(self.arn),
        }

    def create(self, desired: Document) -> list[Instruction]:
        # us-east-1 is the one region that CreateBucket refuses to be told.
        """Creation with the owner in control of every object, then every setting.

        A user's own tags come with the creation: an organization's policies may demand them there.
        """
        where = {} if self.stack.region == "us-east-1" else {"LocationConstraint": self.stack.region}
        tags = {"Tags": self.stack.tag_list} if self.stack.own_tags else {}
        given = {"CreateBucketConfiguration": {**where, **tags}} if where or tags else {}
        parameters = {"Bucket": self.name, "ObjectOwnership": OWNERSHIP, **given}
        made = ApiCall(f"create bucket {self.name}", "s3", "create_bucket", parameters)
        nothing_foreign: Document = {"rules": [], "statements": [], "tags": {}}
        return [made, *self._settings(desired, frozenset(desired) - {"ownership"}, nothing_foreign)]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Calls that write the settings that differ."""
        return self._settings(desired, changed, found.kept)

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Emptying, then the deletion: S3 deletes no bucket that holds an object."""
        emptied = EmptyBucket(f"empty bucket {self.name}", self.name, self.stack.account)
        return [emptied, self._call("delete", "delete_bucket")]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Bucket and its policy."""
        bucket = {
            "BucketName": self.name,
            "OwnershipControls": {"Rules": [{"ObjectOwnership": desired["ownership"]}]},
            "PublicAccessBlockConfiguration": desired["publicAccessBlock"],
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [_rule(desired, "ServerSideEncryptionByDefault")]
            },
            "LifecycleConfiguration": {"Rules": [_flat_rule(desired["expiry"])]},
            "Tags": as_tag_list(desired["tags"]),
        }
        document = {"Version": "2012-10-17", "Statement": [desired["tlsOnly"]]}
        policy = {"Bucket": self.name, "PolicyDocument": document}
        return [("AWS::S3::Bucket", bucket), ("AWS::S3::BucketPolicy", policy)]

    def _settings(self, desired: Document, changed: frozenset[str], foreign: Document) -> list[Instruction]:
        """Tags first: they are what a later cleanup knows the bucket by."""
        tags = {**foreign["tags"], **desired["tags"]}
        steps: dict[str, Instruction] = {
            "tags": self._call("tag", "put_bucket_tagging", Tagging={"TagSet": as_tag_list(tags)}),
            "publicAccessBlock": self._call(
                "block public access to",
                "put_public_access_block",
                PublicAccessBlockConfiguration=PUBLIC_ACCESS_BLOCK,
            ),
            "ownership": self._call(
                "leave every object to the owner of",
                "put_bucket_ownership_controls",
                OwnershipControls={"Rules": [{"ObjectOwnership": OWNERSHIP}]},
            ),
            "encryption": self._call(
                "encrypt",
                "put_bucket_encryption",
                ServerSideEncryptionConfiguration={"Rules": [_rule(desired, "ApplyServerSideEncryptionByDefault")]},
            ),
            "expiry": self._call(
                "set the expiry of",
                "put_bucket_lifecycle_configuration",
                LifecycleConfiguration={"Rules": [*foreign["rules"], desired["expiry"]]},
            ),
            "tlsOnly": self._call(
                "refuse plain HTTP to",
                "put_bucket_policy",
                Policy=_policy([*foreign["statements"], desired["tlsOnly"]]),
            ),
        }
        return [step for name, step in steps.items() if name in changed]

    def _head(self, remote: RemoteState) -> Document | None:
        try:
            return self._get(remote, "head_bucket", missing="404")
        except CallFailed as error:
            if error.code not in DENIED_CODES:
                raise
            raise ProvisionError(
                f"The bucket {self.name} is another account's, or these credentials lack s3:ListBucket on it: choose "
                "another --prefix, or grant that."
            ) from error

    def _get(self, remote: RemoteState, operation: str, *, missing: str) -> Document | None:
        owner = self.stack.account
        return remote.get("s3", operation, missing=missing, Bucket=self.name, ExpectedBucketOwner=owner)

    def _tags(self, remote: RemoteState) -> dict[str, str]:
        found = self._get(remote, "get_bucket_tagging", missing="NoSuchTagSet")
        return from_tag_list(found["TagSet"] if found else [])

    def _ownership(self, remote: RemoteState) -> str | None:
        missing = "OwnershipControlsNotFoundError"
        found = self._get(remote, "get_bucket_ownership_controls", missing=missing)
        return str(found["OwnershipControls"]["Rules"][0]["ObjectOwnership"]) if found else None

    @property
    def _wanted_encryption(self) -> Document:
        """With a key of the user's own one request to KMS serves many objects: a bucket key.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
        """
        if self.stack.kms_key is None:
            return dict(ENCRYPTION)
        return {"SSEAlgorithm": KMS, "KMSMasterKeyID": self.stack.kms_key, "BucketKeyEnabled": True}

    def _encryption(self, remote: RemoteState) -> Document | None:
        missing = "ServerSideEncryptionConfigurationNotFoundError"
        found = self._get(remote, "get_bucket_encryption", missing=missing)
        if found is None:
            return None
        rule = found["ServerSideEncryptionConfiguration"]["Rules"][0]
        default = rule["ApplyServerSideEncryptionByDefault"]
        if self.stack.kms_key is None and default["SSEAlgorithm"].startswith(KMS):
            return dict(ENCRYPTION)  # no drift: somebody chose more than we ask for
        return {**default, "BucketKeyEnabled": rule.get("BucketKeyEnabled", False)}

    def _public_access_block(self, remote: RemoteState) -> Document | None:
        missing = "NoSuchPublicAccessBlockConfiguration"
        found = self._get(remote, "get_public_access_block", missing=missing)
        return found and found["PublicAccessBlockConfiguration"]

    def _lifecycle_rules(self, remote: RemoteState) -> list[Document]:
        missing = "NoSuchLifecycleConfiguration"
        found = self._get(remote, "get_bucket_lifecycle_configuration", missing=missing)
        return list(found["Rules"]) if found else []

    def _statements(self, remote: RemoteState) -> list[Document]:
        found = self._get(remote, "get_bucket_policy", missing="NoSuchBucketPolicy")
        return list(json.loads(found["Policy"])["Statement"]) if found else []

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        parameters = {"Bucket": self.name, "ExpectedBucketOwner": self.stack.account, **parameters}
        return ApiCall(f"{what} bucket {self.name}", "s3", operation, parameters)


def expiry_rule(spec: ProvisionSpec) -> Document:
    """Lifecycle rule by which objects below the prefix expire after some days, and unfinished uploads after one."""
    return {
        "ID": EXPIRY_RULE,
        "Filter": {"Prefix": f"{spec.s3_prefix}/"},
        "Status": "Enabled",
        "Expiration": {"Days": spec.expiry_days},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }


def tls_only(bucket_arn: str) -> Document:
    """Policy statement that denies plain HTTP:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
    """
    return {
        "Sid": TLS_ONLY,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _flat_rule(rule: Document) -> Document:
    """CloudFormation flattens what S3 nests."""
    return {
        "Id": rule["ID"],
        "Status": rule["Status"],
        "Prefix": rule["Filter"]["Prefix"],
        "ExpirationInDays": rule["Expiration"]["Days"],
        "AbortIncompleteMultipartUpload": rule["AbortIncompleteMultipartUpload"],
    }


def _policy(statements: list[Document]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True)


def _rule(desired: Document, member: str) -> Document:
    """Rule of the encryption; `member` is what the API, or CloudFormation, calls the default in it."""
    encryption = dict(desired["encryption"])
    bucket_key = {"BucketKeyEnabled": encryption.pop("BucketKeyEnabled")} if "BucketKeyEnabled" in encryption else {}
    return {member: encryption, **bucket_key}
