"""KMS key of the user's own: an alias becomes the ARN, and a key that can't serve is refused before anything is made.

Policies, CloudWatch Logs and plans know keys by their ARNs alone.
"""

from __future__ import annotations

from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed
from provisioner.stack.spec import check

NOT_FOUND: Final = "NotFoundException"


def usable_key(key: str, clients: Clients) -> str:
    """ARN of a key that S3, CloudWatch Logs and ECR can encrypt with: enabled, symmetric, of a customer.

    Raises `ConfigError` for another, `CallFailed`.
    https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
    """
    found = _described(key, clients)
    check("--kms-key", key, bool(found), f"a key that is in {clients.region}")
    check("--kms-key", key, found["Enabled"], f"an enabled key: this one is {found['KeyState']}")
    check("--kms-key", key, found["KeySpec"] == "SYMMETRIC_DEFAULT", "a symmetric key that encrypts")
    check("--kms-key", key, found["KeyManager"] == "CUSTOMER", "a key of yours: AWS's own serve one service each")
    return str(found["Arn"])


def _described(key: str, clients: Clients) -> Document:
    try:
        metadata: Document = clients.call("kms", "describe_key", {"KeyId": key})["KeyMetadata"]
    except CallFailed as error:
        if error.code != NOT_FOUND:
            raise
        return {}
    return metadata
