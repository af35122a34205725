"""The account's vCPU quotas that bound the environments.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.diagnosis.evidence import Environment, Evidence, Fact, VcpuQuota
from engine.diagnosis.reads import Reader


@dataclass(frozen=True, slots=True)
class Code:
    """A quota as Service Quotas knows it."""

    name: str
    service: str
    code: str


STANDARD: Final = {
    "EC2": Code("On-Demand standard", "ec2", "L-1216C47A"),
    "SPOT": Code("Spot standard", "ec2", "L-34B43A08"),
    "FARGATE": Code("Fargate On-Demand", "fargate", "L-3032A538"),
    "FARGATE_SPOT": Code("Fargate Spot", "fargate", "L-36FBB829"),
}
GRAPHICS: Final = {
    "EC2": Code("On-Demand G and VT", "ec2", "L-DB2E81BA"),
    "SPOT": Code("Spot G and VT", "ec2", "L-3819A6DF"),
}
ACCELERATED: Final = {
    "EC2": Code("On-Demand P", "ec2", "L-417A185B"),
    "SPOT": Code("Spot P", "ec2", "L-7212CCBC"),
}
STANDARD_SERIES: Final = ("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z")
_SERIES: Final = re.compile(r"([a-z]+)\d")


def probe(reader: Reader, evidence: Evidence) -> Evidence:
    usable = [one for one in evidence.known_environments if one.usable]
    wanted = sorted({pair for one in usable for pair in codes_of(one)}, key=lambda pair: pair[1].code)
    if not wanted:
        return evidence
    found: list[VcpuQuota] = []
    for kind, code in wanted:
        asked = {"ServiceCode": code.service, "QuotaCode": code.code}
        reading = reader.read("service-quotas", "get_service_quota", **asked)
        if reading.trouble:
            return replace(evidence, quotas=Fact(reading.source, reading.at, trouble=reading.trouble))
        found.append(VcpuQuota(code.name, code.service, code.code, float(reading.answer["Quota"]["Value"]), kind))
    return replace(evidence, quotas=Fact(reading.source, reading.at, tuple(found)))


def codes_of(environment: Environment) -> Iterator[tuple[str, Code]]:
    """The quotas that its instance types count against."""
    types = environment.instance_types or ("optimal",)
    for name in types:
        found = _family(name).get(environment.kind)
        if found is not None:
            yield environment.kind, found


def _family(name: str) -> dict[str, Code]:
    """Empty for a series whose quota is not among ours."""
    matched = _SERIES.match(name)
    series = "m" if matched is None else matched[1]
    if series in ("g", "gr", "vt"):
        return GRAPHICS
    if series == "p":
        return ACCELERATED
    return STANDARD if series in STANDARD_SERIES else {}
