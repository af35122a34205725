"""KMS key of the user's own: whether its policy lets in whom no policy of the account can.

Grants let in, too, and conditions keep out: what the policy alone doesn't say is a warning and no failure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus, Remedy, RemedyTarget
from engine.diagnosis.reads import Reader
from provisioner.doctor.finding import DoctorCheck, Finding
from provisioner.plan.kms_key import command_of_policy
from provisioner.policies import Policy, key_policy
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

KEY: Final = DoctorCheck(CheckId.KMS_KEY, "the key's policy lets in whom it must")
EVERYBODY: Final = "*"


def check_key(reader: Reader, spec: ProvisionSpec, stack: Stack) -> Finding:
    """Check the key's policy against the one that `export` prints, statement by statement.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
    """
    reading = reader.read("kms", "get_key_policy", KeyId=spec.kms_key, PolicyName="default")
    if reading.error:
        return KEY.found(CheckStatus.UNKNOWN, reading.error, source=reading.source, at=reading.at)
    lacking = lacking_statements(json.loads(reading.answer["Policy"]), key_policy(stack, spec))
    if not lacking:
        return KEY.found(CheckStatus.PASS, "all that it must", source=reading.source, at=reading.at)
    fix = Remedy("give the key a policy like this one", command_of_policy(spec, stack), RemedyTarget.ROLE)
    text = f"unless a grant does, nothing allows: {'; '.join(lacking)}"
    return KEY.found(CheckStatus.WARN, text, fix, source=reading.source, at=reading.at)


def lacking_statements(found: Policy, needed: Policy) -> list[str]:
    """Statements of the needed policy that the found one lacks: who, and which actions."""
    allowed = list(_allowances(found))
    lacking: dict[str, list[str]] = {}
    for principal, action in _allowances(needed):
        if not any(_lets(one, principal) and fnmatchcase(action, pattern) for one, pattern in allowed):
            lacking.setdefault(principal.rpartition("/")[2], []).append(action)
    return [f"{who}: {', '.join(actions)}" for who, actions in lacking.items()]


def _lets(named: str, principal: str) -> bool:
    return named in (EVERYBODY, principal)


def _allowances(policy: Policy) -> Iterator[tuple[str, str]]:
    """Principals with their actions, whatever the conditions."""
    statements: Any = policy["Statement"]
    for statement in _as_list(statements):
        if statement["Effect"] == "Allow":
            for principal in _principals(statement):
                yield from ((principal, action) for action in _as_list(statement.get("Action", [])))


def _principals(statement: Mapping[str, Any]) -> list[str]:
    named = statement.get("Principal", {})
    if isinstance(named, str):
        return [named]
    return [one for kind in ("AWS", "Service") for one in _as_list(named.get(kind, []))]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
