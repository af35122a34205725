"""Whether the caller may do what the exported policies allow: asked of IAM, or else seen by what was denied.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.diagnosis.model import CheckStatus, Remedy
from engine.diagnosis.reads import Document, Reader, Reading
from provisioner.doctor.finding import Finding, command_for, finding
from provisioner.doctor.identity import Identity
from provisioner.doctor.reads import ClientReads
from provisioner.export.policies import Principal
from provisioner.policies import Policy
from provisioner.stack.naming import Stack

SOURCE: Final = "iam:SimulatePrincipalPolicy"
ABSENT_CODES: Final = ("NoSuchEntity", "NoSuchEntityException")
CONTEXT_TYPES: Final = {"StringEquals": "string", "StringLike": "string", "ForAllValues:StringEquals": "stringList"}
SHOWN: Final = 6
_SESSION: Final = re.compile(r"arn:(?P<partition>[a-z-]+):sts::(?P<account>\d+):assumed-role/(?P<role>[^/]+)/.+")


@dataclass(frozen=True, slots=True)
class Need:
    """A policy that the caller should have; `missing` is how bad it is when not all of it is allowed."""

    name: str
    policy: Policy
    principal: Principal
    missing: CheckStatus


def look(reader: Reader, reads: ClientReads, who: Identity, stack: Stack, need: Need) -> Finding:
    denied: set[str] = set()
    asked: set[str] = set()
    arn = caller(who)
    for statement in _statements(need.policy):
        results, reading = _simulate(reader, arn, statement)
        if reading.code in ABSENT_CODES:
            arn = in_its_folder(reader, who)
            results, reading = _simulate(reader, arn, statement)
        if reading.trouble:
            return _tried(reads, stack, need, reading)
        asked |= {one["EvalActionName"] for one in results}
        denied |= {one["EvalActionName"] for one in results if one["EvalDecision"] != "allowed"}
    if denied:
        fix = _policy_of(stack, need.principal)
        return finding(need.name, need.missing, f"denied: {_some(denied)}", fix, source=SOURCE, at=reader.clock())
    told = f"all {len(asked)} actions are allowed"
    return finding(need.name, CheckStatus.PASS, told, source=SOURCE, at=reader.clock())


def caller(who: Identity) -> str:
    """The ARN whose policies count: a session's role, which mostly lies in no folder."""
    session = _SESSION.fullmatch(who.arn)
    if session is None:
        return who.arn
    return f"arn:{session['partition']}:iam::{session['account']}:role/{session['role']}"


def in_its_folder(reader: Reader, who: Identity) -> str:
    """Sessions don't tell the folder of their role."""
    name = caller(who).rpartition("/")[2]
    found = reader.read("iam", "get_role", RoleName=name).answer.get("Role", {})
    return str(found.get("Arn", caller(who)))


def _statements(policy: Policy) -> Iterator[Mapping[str, Any]]:
    statements: Any = policy["Statement"]
    yield from statements


def _simulate(reader: Reader, arn: str, statement: Mapping[str, Any]) -> tuple[list[Document], Reading]:
    """With the statement's own conditions met: what is asked is whether the caller has such a permission."""
    resources = statement["Resource"]
    return reader.pages(
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


def _tried(reads: ClientReads, stack: Stack, need: Need, reading: Reading) -> Finding:
    """Second best: what this doctor's own reads met."""
    if reads.denied:
        told = f"denied: {_some(reads.denied)}; the rest could not be asked for"
        fix = _policy_of(stack, need.principal)
        return finding(need.name, CheckStatus.WARN, told, fix, source=reading.source, at=reading.at)
    told = f"{len(reads.allowed)} reads of this doctor were allowed; changes could not be asked for ({reading.trouble})"
    return finding(need.name, CheckStatus.UNKNOWN, told, source=reading.source, at=reading.at)


def _policy_of(stack: Stack, principal: Principal) -> Remedy:
    command = command_for(stack, "export", "--format", "policy", "--only", principal.value)
    return Remedy("attach the policy that this prints", command)


def _some(names: set[str]) -> str:
    shown = sorted(names)[:SHOWN]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(shown) + more
