"""KMS key of the user's own: an alias becomes the ARN, and a key that can't serve is refused before anything is made.

Policies, CloudWatch Logs and plans know keys by their ARNs alone.
"""

from __future__ import annotations

from typing import Final

from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed
from provisioner.policies import launching_roles
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec, check

GRANTS: Final = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html"
NOT_FOUND: Final = "NotFoundException"


def usable_key(key: str, clients: Clients) -> str:
    """ARN of a key that S3, CloudWatch Logs, ECR and EBS can encrypt with: enabled, symmetric, of a customer.

    Raises `ConfigError` for another, `CallFailed`.
    https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
    """
    found = _described(key, clients)
    check("--kms-key", key, bool(found), f"a key that is in {clients.region}")
    check("--kms-key", key, found["Enabled"], f"an enabled key: this one is {found['KeyState']}")
    check("--kms-key", key, found["KeySpec"] == "SYMMETRIC_DEFAULT", "a symmetric key that encrypts")
    check("--kms-key", key, found["KeyManager"] == "CUSTOMER", "a key of yours: AWS's own serve one service each")
    return str(found["Arn"])


def note_of_policy(spec: ProvisionSpec, stack: Stack) -> str:
    """Note on whom the key's own policy must let use it: no policy of ours can.

    KMS takes no policy with a principal that isn't there:
    https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
    """
    roles = launching_roles(spec)
    names = [role.rpartition("/")[2] for role in roles]
    if not stack.owns_key:
        grant = f", and {' and '.join(names)} need grants on it: {GRANTS}" if names else ""
        return f"{spec.kms_key} is of another account: its policy must let {stack.account} use it{grant}."
    users = " and ".join(("CloudWatch Logs", *names))
    made = " and ".join(
        f"`aws iam create-service-linked-role --aws-service-name {role.split('/')[1]}`" for role in roles
    )
    missing = f" KMS takes none that names a role which isn't there: {made} would make it." if roles else ""
    prints = f"`{command_of_policy(spec, stack)}` prints one that does"
    return f"The policy of {spec.kms_key} must let {users} use it: {prints}.{missing}"


def command_of_policy(spec: ProvisionSpec, stack: Stack) -> str:
    """Command that prints a policy of the key which lets in whom it must."""
    flags = f"--kms-key {spec.kms_key}{' --spot' * spec.spot}{' --fargate' * spec.fargate}"
    place = f"--region {stack.region} --prefix {stack.prefix}"
    return f"scaler-batch export --format policy --only kms-key {place} {flags}"


def _described(key: str, clients: Clients) -> Document:
    try:
        metadata: Document = clients.call("kms", "describe_key", {"KeyId": key})["KeyMetadata"]
    except CallFailed as error:
        if error.code != NOT_FOUND:
            raise
        return {}
    return metadata
