"""GetServiceQuota of EC2's and Fargate's vCPUs; moto knows the quotas of VPC only.

https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_GetServiceQuota.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from provisioner.local.batch.requests import ACCOUNT
from provisioner.local.http.refusals import json_error
from provisioner.local.http.server import HttpRequest, HttpResponse

TARGET: Final = "ServiceQuotasV20190624.GetServiceQuota"
# Values of an account that asked for more than the 5 or 6 that AWS begins with. They are only told: jobs here are
# bounded by their environments' maxvCpus.
VCPUS: Final[Mapping[tuple[str, str], tuple[str, float]]] = {
    ("ec2", "L-1216C47A"): ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 1152.0),
    ("ec2", "L-34B43A08"): ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 640.0),
    ("fargate", "L-3032A538"): ("Fargate On-Demand vCPU resource count", 500.0),
    ("fargate", "L-36FBB829"): ("Fargate Spot vCPU resource count", 500.0),
}


class QuotasApi:
    """Service Quotas of one region; `answer` gives None for what moto answers."""

    def __init__(self, region: str) -> None:
        self._region = region

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        """Answer GetServiceQuota of EC2 and Fargate; None for every other call."""
        body = json.loads(request.body or b"{}")
        service, code = body.get("ServiceCode", ""), body.get("QuotaCode", "")
        if request.headers.get("x-amz-target") != TARGET or service == "vpc":
            return None
        found = VCPUS.get((service, code))
        if found is None:
            return json_error(400, "NoSuchResourceException", f"The request failed because {code} does not exist.")
        answer = {"Quota": self._quota(service, code, *found)}
        return HttpResponse(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode())

    def _quota(self, service: str, code: str, name: str, value: float) -> dict[str, Any]:
        return {
            "ServiceCode": service,
            "QuotaArn": f"arn:aws:servicequotas:{self._region}:{ACCOUNT}:{service}/{code}",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": value,
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }
