"""Service Quotas' codes of the vCPUs that an account may run at once, by what a compute environment starts.

https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AccountQuota:
    """A vCPU quota of the account in EC2 or Fargate, by the code that Service Quotas knows it by."""

    name: str
    service: str
    code: str


STANDARD_QUOTAS: Final = {
    "EC2": AccountQuota("EC2 On-Demand standard", "ec2", "L-1216C47A"),
    "SPOT": AccountQuota("EC2 Spot standard", "ec2", "L-34B43A08"),
    "FARGATE": AccountQuota("Fargate On-Demand", "fargate", "L-3032A538"),
    "FARGATE_SPOT": AccountQuota("Fargate Spot", "fargate", "L-36FBB829"),
}
"""By the type of a compute environment's resources."""
GRAPHICS_QUOTAS: Final = {
    "EC2": AccountQuota("EC2 On-Demand G and VT", "ec2", "L-DB2E81BA"),
    "SPOT": AccountQuota("EC2 Spot G and VT", "ec2", "L-3819A6DF"),
}
ACCELERATED_QUOTAS: Final = {
    "EC2": AccountQuota("EC2 On-Demand P", "ec2", "L-417A185B"),
    "SPOT": AccountQuota("EC2 Spot P", "ec2", "L-7212CCBC"),
}
STANDARD_SERIES: Final = ("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z")
_SERIES: Final = re.compile(r"([a-z]+)\d")


def quotas_of(kind: str, instance_types: Sequence[str]) -> frozenset[AccountQuota]:
    """The quotas that a compute environment counts against: `kind` is its resources' type (EC2, SPOT, FARGATE …).

    Instance types whose series has a quota of its own that is not listed here count against none.
    """
    found = (_quotas_by_series(name).get(kind) for name in instance_types or ("optimal",))
    return frozenset(quota for quota in found if quota is not None)


def _quotas_by_series(instance_type: str) -> Mapping[str, AccountQuota]:
    """AWS Batch's own words, like `optimal`, choose among standard series."""
    matched = _SERIES.match(instance_type)
    series = "m" if matched is None else matched[1]
    if series in ("g", "gr", "vt"):
        return GRAPHICS_QUOTAS
    if series == "p":
        return ACCELERATED_QUOTAS
    return STANDARD_QUOTAS if series in STANDARD_SERIES else {}
