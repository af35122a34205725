"""Identity of the caller: whether the credentials are accepted, and whether the region is one that is enabled."""

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

LOG_IN: Final = Remedy("log in, or choose a profile with AWS_PROFILE", "aws sts get-caller-identity")
REACH: Final = Remedy("AWS was not reached: check the network, proxies, AWS_ENDPOINT_URL, and the region's name")
HOMES: Final = {"aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
HOME: Final = "us-east-1"
"""Regions that are always enabled, of each partition and of all others."""

NOT_ENABLED: Final = "not-opted-in"


@dataclass(frozen=True, slots=True)
class Identity:
    """Caller of AWS: the account, and the ARN of the user or the session of a role."""

    account: str
    arn: str


def check_credentials(reader: Reader) -> tuple[Finding, Identity | None]:
    """Ask STS for the caller's identity; None when the credentials are refused."""
    reading = reader.read("sts", "get_caller_identity")
    if reading.error:
        fix = LOG_IN if reading.answered else REACH
        return CREDENTIALS.found(CheckStatus.FAIL, reading.error, fix, source=reading.source, at=reading.at), None
    identity = Identity(reading.answer["Account"], reading.answer["Arn"])
    text = f"account {identity.account} as {identity.arn}"
    return CREDENTIALS.found(CheckStatus.PASS, text, source=reading.source, at=reading.at), identity


def home_region(clients: Clients) -> str:
    """Region that is asked about the others; its own where it can't be one."""
    try:
        return HOMES.get(clients.partition, HOME)
    except ConfigError:
        return HOME


def check_region(clients: Clients, home: Reader) -> Finding:
    """Find the region among the account's; `home` reads where that is certain to work.

    Where it may not be asked, boto3 knows at least the partition.
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    try:
        text = f"{clients.region}, of the partition {clients.partition}"
    except ConfigError as error:
        return REGION.found(CheckStatus.FAIL, str(error))
    reading = home.read("ec2", "describe_regions", AllRegions=True)
    if reading.error:
        unknown = f"{text}; whether it is enabled is unknown: {reading.error}"
        return REGION.found(CheckStatus.UNKNOWN, unknown, source=reading.source, at=reading.at)
    status = {one["RegionName"]: one.get("OptInStatus", "") for one in reading.answer["Regions"]}.get(clients.region)
    result, evidence, *fixes = _judge_region(clients.region, text, status)
    return REGION.found(result, evidence, *fixes, source=reading.source, at=reading.at)


def _judge_region(region: str, text: str, status: str | None) -> tuple[CheckStatus, str, *tuple[Remedy, ...]]:
    if status is None:
        command = "aws ec2 describe-regions --all-regions --query Regions[].RegionName"
        return CheckStatus.FAIL, f"{region} is no region of AWS's", Remedy("choose one of these", command)
    if status == NOT_ENABLED:
        command = f"aws account enable-region --region-name {region}"
        return CheckStatus.FAIL, f"{text}, is not enabled for this account", Remedy("enable it", command)
    return CheckStatus.PASS, text
