"""Role of the selftest's worker manager: it has the exported policy alone, and lives as long as the run.

IAM's news take seconds to reach the other services, so each use of it is tried again for a while:
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from provisioner.clients import Clients
from provisioner.errors import CallFailed, ProvisionError
from provisioner.policies import as_json, manager_policy
from provisioner.policies.statements import Policy, document
from provisioner.stack.naming import Stack

Answer = TypeVar("Answer")

POLICY_NAME: Final = "scaler-batch-manager"
SESSION_S: Final = 3600
NEWS_S: Final = 60.0
"""How long IAM's news may take."""
LOOK_S: Final = 2.0


class ManagerRole:
    """Role that is made, assumed and deleted again with the rights of `clients`. `made` says that it is there."""

    def __init__(self, name: str, stack: Stack, s3_prefix: str, clients: Clients) -> None:
        self.name = name
        self.made = False
        self._stack = stack
        self._s3_prefix = s3_prefix
        self._clients = clients

    def make(self) -> None:
        """Make it for the caller. Raises `CallFailed` when the caller may not."""
        caller = str(self._clients.call("sts", "get_caller_identity", {})["Arn"])
        trust = as_json(trust_in(caller))
        create = {"RoleName": self.name, "AssumeRolePolicyDocument": trust, "Tags": self._stack.tag_list}
        self._clients.call("iam", "create_role", create)
        self.made = True
        policy = as_json(manager_policy(self._stack, self._s3_prefix))
        written = {"RoleName": self.name, "PolicyName": POLICY_NAME, "PolicyDocument": policy}
        self._clients.call("iam", "put_role_policy", written)

    def credentials(self) -> dict[str, str]:
        """Credentials of it, as boto3's variables. Raises `ProvisionError` when it can't be assumed in time."""
        arn = self._stack.iam_arn("role", self.name)
        wanted = {"RoleArn": arn, "RoleSessionName": "selftest", "DurationSeconds": SESSION_S}
        given = once_known(lambda: self._clients.call("sts", "assume_role", wanted))["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def delete(self) -> None:
        """Delete it. Raises `CallFailed`."""
        for operation, more in (("delete_role_policy", {"PolicyName": POLICY_NAME}), ("delete_role", {})):
            try:
                self._clients.call("iam", operation, {"RoleName": self.name, **more})
            except CallFailed as error:
                if error.code != "NoSuchEntity":
                    raise


def trust_in(principal: str) -> Policy:
    """Policy that lets one principal of the account assume a role."""
    return document([{"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}])


def once_known(call: Callable[[], Answer], sleep: Callable[[float], None] = time.sleep) -> Answer:
    """Answer of a call that fails until IAM's news have come. Raises `ProvisionError` after `NEWS_S`."""
    left = NEWS_S
    while True:
        try:
            return call()
        except ProvisionError:
            if left <= 0:
                raise
            sleep(LOOK_S)
            left -= LOOK_S
