"""Permissions of the caller against the exported policies: simulated by IAM, or else seen by what was denied.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus, Remedy, RemedyTarget
from engine.diagnosis.reads import Document, Reader, Reading
from provisioner.doctor.finding import DoctorCheck, Finding, command_for
from provisioner.doctor.identity import Identity
from provisioner.doctor.reads import ClientReads
from provisioner.export.policies import Principal
from provisioner.policies import Policy, manager_policy, provisioner_policy
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

MANAGER: Final = DoctorCheck(CheckId.MANAGER_PERMISSIONS, "may run a worker manager")
PROVISIONER: Final = DoctorCheck(CheckId.PROVISIONER_PERMISSIONS, "may provision")
SOURCE: Final = "iam:SimulatePrincipalPolicy"
ABSENT_CODES: Final = ("NoSuchEntity", "NoSuchEntityException")
CONTEXT_TYPES: Final = {"StringEquals": "string", "StringLike": "string", "ForAllValues:StringEquals": "stringList"}
SHOWN: Final = 6
_SESSION: Final = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+")


@dataclass(frozen=True, slots=True)
class NeededPolicy:
    """Policy that the caller should have, as exported for `principals`; `missing` is the result of a lack."""

    check: DoctorCheck
    policy: Policy
    principals: tuple[Principal, ...]
    missing: CheckStatus


def check_permissions(
    reader: Reader, reads: ClientReads, identity: Identity, spec: ProvisionSpec, stack: Stack
) -> list[Finding]:
    """Check the manager's policy and the provisioner's: one who runs a manager need not be able to provision."""
    stack = stack.encrypted(spec.kms_key)
    both = (Principal.PROVISIONER, Principal.PROVISIONER_ROLES)
    needed = (
        NeededPolicy(MANAGER, manager_policy(stack, spec.s3_prefix), (Principal.MANAGER,), CheckStatus.FAIL),
        NeededPolicy(PROVISIONER, provisioner_policy(stack, spec.permissions_boundary), both, CheckStatus.WARN),
    )
    return [check_policy(reader, reads, identity, stack, one) for one in needed]


def check_policy(reader: Reader, reads: ClientReads, identity: Identity, stack: Stack, needed: NeededPolicy) -> Finding:
    """Simulate every statement of one policy for the caller."""
    denied: set[str] = set()
    simulated: set[str] = set()
    arn = _principal_arn(identity)
    for statement in _statements(needed.policy):
        results, reading = _simulate(reader, arn, statement)
        if reading.code in ABSENT_CODES:
            arn = _read_role_arn(reader, identity)
            results, reading = _simulate(reader, arn, statement)
        if reading.error:
            return _judge_own_reads(reads, stack, needed, reading)
        simulated |= {one["EvalActionName"] for one in results}
        denied |= {one["EvalActionName"] for one in results if one["EvalDecision"] != "allowed"}
    at = reader.clock()
    if denied:
        fix = _policy_remedy(stack, needed.principals)
        return needed.check.found(needed.missing, f"denied: {_some(denied)}", fix, source=SOURCE, at=at)
    return needed.check.found(CheckStatus.PASS, f"all {len(simulated)} actions are allowed", source=SOURCE, at=at)


def _principal_arn(identity: Identity) -> str:
    """The ARN whose policies count: a session's role, which mostly lies in no folder."""
    session = _SESSION.fullmatch(identity.arn)
    if session is None:
        return identity.arn
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"


def _read_role_arn(reader: Reader, identity: Identity) -> str:
    """Sessions don't tell the folder of their role."""
    arn = _principal_arn(identity)
    found = reader.read("iam", "get_role", RoleName=arn.rpartition("/")[2]).answer.get("Role", {})
    return str(found.get("Arn", arn))


def _statements(policy: Policy) -> Iterator[Mapping[str, Any]]:
    statements: Any = policy["Statement"]
    yield from statements


def _simulate(reader: Reader, arn: str, statement: Mapping[str, Any]) -> tuple[list[Document], Reading]:
    """With the statement's own conditions met: the question is whether the caller has such a permission."""
    resources = statement["Resource"]
    return reader.read_pages(
        "iam",
        "simulate_principal_policy",
        "EvaluationResults",
        "Marker",
        PolicySourceArn=arn,
        ActionNames=list(statement["Action"]),
        ResourceArns=[resources] if isinstance(resources, str) else list(resources),
        ContextEntries=list(_context(statement.get("Condition", {}))),
    )


def _context(condition: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for operator, keys in condition.items():
        for key, values in keys.items():
            given = [values] if isinstance(values, str) else list(values)
            kind = CONTEXT_TYPES.get(operator, "string")
            yield {"ContextKeyName": key, "ContextKeyValues": given[:1], "ContextKeyType": kind}


def _judge_own_reads(reads: ClientReads, stack: Stack, needed: NeededPolicy, reading: Reading) -> Finding:
    """Second best: what this doctor's own reads met."""
    if reads.denied:
        text = f"denied: {_some(reads.denied)}; the rest could not be asked for"
        fix = _policy_remedy(stack, needed.principals)
        return needed.check.found(CheckStatus.WARN, text, fix, source=reading.source, at=reading.at)
    allowed = f"{len(reads.allowed)} reads of this doctor were allowed"
    text = f"{allowed}; changes could not be asked for ({reading.error})"
    return needed.check.found(CheckStatus.UNKNOWN, text, source=reading.source, at=reading.at)


def _policy_remedy(stack: Stack, principals: tuple[Principal, ...]) -> Remedy:
    command = command_for(stack, "export", "--format", "policy")
    if len(principals) == 1:
        return Remedy("attach the policy that this prints", f"{command} --only {principals[0]}", RemedyTarget.ROLE)
    return Remedy(f"attach the policies {' and '.join(principals)} that this prints", command, RemedyTarget.ROLE)


def _some(names: set[str]) -> str:
    shown = sorted(names)[:SHOWN]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(shown) + more
