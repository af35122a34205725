"""Identity of the caller: whether the credentials are accepted, and whether the region is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus, Remedy
from engine.diagnosis.reads import Reader
from engine.errors import ConfigError
from provisioner.clients import Clients
from provisioner.doctor.finding import DoctorCheck, Finding

CREDENTIALS: Final = DoctorCheck(CheckId.CREDENTIALS, "credentials and account")
REGION: Final = DoctorCheck(CheckId.REGION, "region")


@dataclass(frozen=True, slots=True)
class Identity:
    """Caller of AWS: the account, and the ARN of the user or the session of a role."""

    account: str
    arn: str


def check_credentials(reader: Reader) -> tuple[Finding, Identity | None]:
    """Ask STS for the caller's identity; None when the credentials are refused."""
    reading = reader.read("sts", "get_caller_identity")
    if reading.error:
        fix = Remedy("log in, or choose a profile with AWS_PROFILE", "aws sts get-caller-identity")
        return CREDENTIALS.found(CheckStatus.FAIL, reading.error, fix, source=reading.source, at=reading.at), None
    identity = Identity(reading.answer["Account"], reading.answer["Arn"])
    text = f"account {identity.account} as {identity.arn}"
    return CREDENTIALS.found(CheckStatus.PASS, text, source=reading.source, at=reading.at), identity


def check_region(clients: Clients) -> Finding:
    """Find the region's partition; boto3 knows it without a call."""
    try:
        partition = clients.partition
    except ConfigError as error:
        return REGION.found(CheckStatus.FAIL, str(error))
    return REGION.found(CheckStatus.PASS, f"{clients.region}, of the partition {partition}")
