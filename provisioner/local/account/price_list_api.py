"""Price list API of the local AWS: GetProducts of EC2 instances, which moto lacks; Spot prices are moto's own.

A few families, at about what they cost in us-east-1; whatever else is asked for has no price, as with AWS.
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from provisioner.local.account.moto_bridge import Moto
from provisioner.local.http.refusals import json_error
from provisioner.local.http.server import HttpRequest, HttpResponse

TARGET: Final = "AWSPriceListService.GetProducts"
SERVICE: Final = "AmazonEC2"
VCPU_HOUR: Final[Mapping[str, float]] = {
    "c4": 0.0498,
    "c5": 0.0425,
    "c6g": 0.034,
    "c6i": 0.0425,
    "c7g": 0.03625,
    "c7i": 0.044625,
    "m4": 0.05,
    "m5": 0.048,
    "m6g": 0.0385,
    "m6i": 0.048,
    "m7i": 0.0504,
    "r4": 0.0665,
    "r6g": 0.0504,
    "r6i": 0.063,
}
"""Of an instance on demand by its family, its memory included."""
TERM: Final = "JRTCKXETXF"
"""AWS's code of the offer on demand, and `RATE` of its only rate."""
RATE: Final = "6YS6EN2CT7"
KINDS: Final = ("TERM_MATCH", "EQUALS", "CONTAINS", "ANY_OF", "NONE_OF")


class PriceListApi:
    """The price list API; `answer` gives the answer to GetProducts."""

    def __init__(self, moto: Moto) -> None:
        self._moto = moto

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer GetProducts of EC2. Nothing else of the price list is here."""
        if request.headers.get("x-amz-target") != TARGET:
            return json_error(400, "InvalidParameterException", "Only GetProducts is here.")
        asked = json.loads(request.body or b"{}")
        if asked.get("ServiceCode") != SERVICE:
            return json_error(400, "InvalidParameterException", "Unknown service code")
        filters = asked.get("Filters", ())
        if any(one.get("Type") not in KINDS for one in filters):
            return json_error(400, "InvalidParameterException", "Unknown type of a filter")
        region = next((one["Value"] for one in filters if one["Field"] == "regionCode"), "us-east-1")
        products = [json.dumps(one) for one in self._products(region) if _fits(one["product"]["attributes"], filters)]
        return self._page(products, int(asked.get("MaxResults", 100)), int(asked.get("NextToken") or 0))

    def _page(self, products: list[str], size: int, first: int) -> HttpResponse:
        answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": products[first : first + size]}
        if first + size < len(products):
            answer["NextToken"] = str(first + size)
        return HttpResponse(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode())

    def _products(self, region: str) -> list[dict[str, Any]]:
        from moto.ec2.models.instance_types import INSTANCE_TYPES

        with self._moto.lock:
            found = [one for name, one in INSTANCE_TYPES.items() if name.partition(".")[0] in VCPU_HOUR]
        return [_product(one, region) for one in found]


def _product(described: Mapping[str, Any], region: str) -> dict[str, Any]:
    name, vcpus = described["InstanceType"], described["VCpuInfo"]["DefaultVCpus"]
    hourly = VCPU_HOUR[name.partition(".")[0]] * vcpus
    sku = f"LOCAL{name.replace('.', '').upper()}"
    offer, rate = f"{sku}.{TERM}", f"{sku}.{TERM}.{RATE}"
    dimension = {
        "unit": "Hrs",
        "endRange": "Inf",
        "beginRange": "0",
        "description": f"${hourly:.4f} per On Demand Linux {name} Instance Hour",
        "appliesTo": [],
        "rateCode": rate,
        "pricePerUnit": {"USD": f"{hourly:.10f}"},
    }
    term = {"priceDimensions": {rate: dimension}, "sku": sku, "offerTermCode": TERM, "termAttributes": {}}
    attributes = {
        "servicecode": SERVICE,
        "instanceType": name,
        "regionCode": region,
        "vcpu": str(vcpus),
        "memory": f"{described['MemoryInfo']['SizeInMiB'] / 1024:g} GiB",
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
    }
    product = {"productFamily": "Compute Instance", "attributes": attributes, "sku": sku}
    return {"product": product, "serviceCode": SERVICE, "terms": {"OnDemand": {offer: term}}, "version": "local"}


def _fits(attributes: Mapping[str, str], filters: Any) -> bool:
    return all(_passes(attributes.get(one["Field"], ""), one["Type"], one["Value"]) for one in filters)


def _passes(value: str, kind: str, wanted: str) -> bool:
    match kind:
        case "CONTAINS":
            return wanted in value
        case "ANY_OF":
            return value in wanted.split(",")
        case "NONE_OF":
            return value not in wanted.split(",")
        case _:
            return value == wanted
