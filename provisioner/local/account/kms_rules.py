"""Rules of KMS that moto lacks: a key's policy names only roles that are there, and a service must be let in by it.

https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends

from provisioner.local.account.moto_bridge import Moto
from provisioner.local.http.refusals import json_error
from provisioner.local.http.server import HttpRequest, HttpResponse

INVALID_PRINCIPALS: Final = "Policy contains a statement with one or more invalid principals."
LOGS_CONTEXT: Final = "kms:EncryptionContext:aws:logs:arn"
NEEDED_BY_LOGS: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptTo")
_ROLE: Final = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/.+")


class KmsRules:
    """Checks of calls of KMS before moto answers them, in one region, and of who may use a key."""

    def __init__(self, moto: Moto, region: str) -> None:
        self._moto = moto
        self._region = region

    def refusal(self, api: str, request: HttpRequest) -> HttpResponse | None:
        """The error that KMS answers with, or None for what moto may answer."""
        if api not in ("CreateKey", "PutKeyPolicy"):
            return None
        policy = json.loads(request.body or b"{}").get("Policy")
        if policy is None or set(_roles(policy)) <= self._existing_roles():
            return None
        return json_error(400, "MalformedPolicyDocumentException", INVALID_PRINCIPALS)

    def refusal_of_logs(self, key: str, group_arn: str) -> str:
        """What CloudWatch Logs says of a key for a group; empty when the key's policy lets it in.

        https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html; in the words that users of
        Terraform met: https://github.com/hashicorp/terraform-provider-aws/issues/29282
        """
        mine = [one for one in self._statements_of(key) if self._is_for_logs(one, group_arn)]
        if all(any(_allows(one, action) for one in mine) for action in NEEDED_BY_LOGS):
            return ""
        return f"The specified KMS key does not exist or is not allowed to be used with Arn '{group_arn}'"

    def _statements_of(self, key: str) -> list[Mapping[str, Any]]:
        """Of a key that is there and enabled."""
        with self._moto.lock:
            found = kms_backends[DEFAULT_ACCOUNT_ID][self._region].keys.get(key.rpartition("/")[2])
            return list(_statements(found.policy)) if found is not None and found.enabled else []

    def _is_for_logs(self, statement: Mapping[str, Any], group_arn: str) -> bool:
        principal = statement.get("Principal", {})
        services = _as_list(principal.get("Service", [])) if isinstance(principal, dict) else []
        wanted = [
            pattern
            for operator in ("ArnEquals", "ArnLike")
            for pattern in _as_list(statement.get("Condition", {}).get(operator, {}).get(LOGS_CONTEXT, []))
        ]
        fits = not wanted or any(fnmatchcase(group_arn, pattern) for pattern in wanted)
        return any(one.startswith(f"logs.{self._region}.") for one in services) and fits

    def _existing_roles(self) -> set[str]:
        with self._moto.lock:
            return {role.arn for role in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].get_roles()}


def _statements(policy: str) -> Iterator[Mapping[str, Any]]:
    found = json.loads(policy)["Statement"]
    return (one for one in _as_list(found) if one["Effect"] == "Allow")


def _roles(policy: str) -> Iterator[str]:
    for statement in _statements(policy):
        principal = statement.get("Principal", {})
        named = _as_list(principal.get("AWS", [])) if isinstance(principal, dict) else []
        yield from (one for one in named if _ROLE.fullmatch(one))


def _allows(statement: Mapping[str, Any], action: str) -> bool:
    return any(fnmatchcase(action, pattern) for pattern in _as_list(statement.get("Action", [])))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
