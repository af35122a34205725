"""Whose credentials these are, and whether the region is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.diagnosis.model import CheckStatus, Remedy
from engine.diagnosis.reads import Reader
from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.doctor.finding import Finding, finding

CREDENTIALS: Final = "credentials and account"
REGION: Final = "region"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: the account, and the ARN of the user or the session of a role."""

    account: str
    arn: str


def look(reader: Reader) -> tuple[Finding, Identity | None]:
    reading = reader.read("sts", "get_caller_identity")
    if reading.trouble:
        fix = Remedy("log in, or choose a profile with AWS_PROFILE", "aws sts get-caller-identity")
        return finding(CREDENTIALS, CheckStatus.FAIL, reading.trouble, fix, source=reading.source, at=reading.at), None
    who = Identity(reading.answer["Account"], reading.answer["Arn"])
    told = f"account {who.account} as {who.arn}"
    return finding(CREDENTIALS, CheckStatus.PASS, told, source=reading.source, at=reading.at), who


def look_at_region(clients: Clients) -> Finding:
    try:
        partition = clients.partition
    except ConfigError as error:
        return finding(REGION, CheckStatus.FAIL, str(error))
    return finding(REGION, CheckStatus.PASS, f"{clients.region}, of the partition {partition}")
