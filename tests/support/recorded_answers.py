"""Answers of AWS in the shape that AWS gives them, out of `tests/recorded/`, one file an operation.

Each has the requests that it fits and, beside them, the sources of its shape; the values are our own. `{{words}}` stand
for what the provisioner sends and AWS gives back as it was: policies, parameters, retry rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.model import OperationModel, Shape
from botocore.utils import parse_timestamp

from container.batch_job_wire.protocol import COMMAND, PARAMETER_DEFAULTS
from engine.aws.errors import AwsError, classify_answer
from engine.aws.retry_rules import RETRY_STRATEGY
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed
from provisioner.policies import execution_policy, instance_policy, job_policy, key_policy, trust
from provisioner.resources.repository import LIFECYCLE_POLICY
from provisioner.resources.user_data import user_data
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec
from tests.support.paths import ROOT
from tests.support.provisioner.account import ACCOUNT, REGION

FOLDER = ROOT / "tests" / "recorded"
STACK = Stack(REGION, "team", ACCOUNT, "aws")
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team-worker@sha256:{'7f' * 32}"
SPEC = ProvisionSpec(image=IMAGE, prefix="team", spot=True)
"""What the recorded stack was provisioned by."""
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-4e5f-6789-0abc-def012345678"
ENCRYPTED = replace(SPEC, kms_key=KEY)
"""The same with a key of the user's own: the account is "encrypted"."""

NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC).timestamp()


def _retry_strategy() -> Document:
    rules: list[Document] = RETRY_STRATEGY["evaluateOnExit"]
    return {**RETRY_STRATEGY, "evaluateOnExit": [{**one, "action": str(one["action"]).lower()} for one in rules]}


SENT: Mapping[str, Any] = {
    "{{command}}": list(COMMAND),
    "{{parameters}}": PARAMETER_DEFAULTS,
    "{{retry strategy}}": _retry_strategy(),
    "{{lifecycle policy}}": json.dumps(LIFECYCLE_POLICY, separators=(",", ":")),
    "{{container trust}}": trust("ecs-tasks.amazonaws.com", STACK),
    "{{instance trust}}": trust("ec2.amazonaws.com"),
    "{{job policy}}": job_policy(STACK, SPEC.s3_prefix),
    "{{execution policy}}": execution_policy(STACK, IMAGE),
    "{{job policy with key}}": job_policy(STACK.encrypted(KEY), SPEC.s3_prefix),
    "{{execution policy with key}}": execution_policy(STACK.encrypted(KEY), IMAGE),
    "{{key policy}}": json.dumps(key_policy(STACK.encrypted(KEY), ENCRYPTED)),
    "{{instance policy}}": instance_policy(STACK),
    "{{user data}}": user_data(),
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of some parameters, and its answer or error. `when` is the time of the account that it belongs to."""

    request: Document
    answer: Document
    error: Mapping[str, str]
    when: str
    xml: str

    def fits(self, parameters: Mapping[str, object], when: str) -> bool:
        asked = all(parameters.get(name) == value for name, value in self.request.items())
        return self.when in ("", when) and asked


@cache
def session() -> botocore.session.Session:
    return botocore.session.get_session()


def model(service: str, operation: str) -> OperationModel:
    return session().get_service_model(service).operation_model(operation)


def recorded_operations() -> list[tuple[str, str]]:
    return sorted((path.parent.name, path.stem) for path in FOLDER.glob("*/*.json"))


def file_of(service: str, operation: str) -> Path:
    return FOLDER / service / f"{operation}.json"


@cache
def exchanges(service: str, operation: str) -> tuple[Exchange, ...]:
    """Those of a certain time first."""
    document = json.loads(file_of(service, operation).read_text())
    shape = model(service, operation).output_shape
    found = [
        Exchange(
            one["request"],
            _parsed(_filled(one.get("answer", {})), shape),
            one.get("error", {}),
            one.get("when", ""),
            one.get("xml", ""),
        )
        for one in document["exchanges"]
    ]
    return tuple(sorted(found, key=lambda one: not one.when))


def answer_of(service: str, operation: str, when: str = "", **parameters: object) -> Document:
    """Raises `LookupError` when none fits."""
    return _exchange(service, operation, parameters, when).answer


def name_of(method: str) -> str:
    """AWS's own name of boto3's method: `ListObjectsV2` of `list_objects_v2`."""
    return "".join(word.capitalize() for word in method.split("_"))


def _exchange(service: str, operation: str, parameters: Mapping[str, object], when: str) -> Exchange:
    found = next((one for one in exchanges(service, operation) if one.fits(parameters, when)), None)
    if found is None:
        raise LookupError(f"{service}:{operation} has no recorded answer to {dict(parameters)} when {when!r}")
    return found


class RecordedClients(Clients):
    """The recorded account, at the time `when`: "" once provisioned, "scaled", "encrypted", "bare", "nothing"."""

    def __init__(self, when: str = "") -> None:
        super().__init__(REGION)
        self._when = when

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        found = _exchange(service, name_of(operation), parameters, self._when)
        if found.error:
            raise CallFailed(f"{service}:{operation}", found.error["Code"], found.error["Message"])
        return found.answer

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        entries: list[Document] = self.call(service, operation, parameters)[key]
        return entries


class RecordedReads:
    """The same for the diagnosis, with a clock; what it asked is in `asked`."""

    def __init__(self, when: str = "") -> None:
        self._when = when
        self.asked: set[str] = set()

    def call(self, service: str, operation: str, **parameters: Any) -> Document:
        name = name_of(operation)
        self.asked.add(f"{service}:{name}")
        found = _exchange(service, name, parameters, self._when)
        if found.error:
            error: AwsError = classify_answer(name, 400, found.error["Code"], found.error["Message"])
            raise error
        return found.answer


def _filled(value: Any) -> Any:
    if isinstance(value, str):
        return SENT.get(value, value)
    if isinstance(value, dict):
        return {key: _filled(one) for key, one in value.items()}
    return [_filled(one) for one in value] if isinstance(value, list) else value


def _parsed(value: Any, shape: Shape | None) -> Any:
    """As botocore parses it: points in time are no texts."""
    if shape is None or value is None:
        return value
    members = getattr(shape, "members", {})
    if shape.type_name == "structure":
        return {key: _parsed(one, members.get(key)) for key, one in value.items()}
    if shape.type_name == "list":
        return [_parsed(one, shape.member) for one in value]  # type: ignore[attr-defined]
    return parse_timestamp(value) if shape.type_name == "timestamp" else value
