"""Parsers of AWS's answers about instances and their prices. Pure.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSpotPriceHistory.html and
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean
from typing import Any, Final

from engine.pricing.instance_prices import InstanceShape

LINUX: Final = "Linux/UNIX"
CURRENCIES: Final = ("USD", "CNY")
"""Of AWS's price lists; each has one of them."""
HOURS: Final = "Hrs"


def parse_shapes(types: Iterable[Mapping[str, Any]]) -> list[InstanceShape]:
    """Shapes out of DescribeInstanceTypes' entries."""
    return [
        InstanceShape(one["InstanceType"], one["VCpuInfo"]["DefaultVCpus"], one["MemoryInfo"]["SizeInMiB"] / 1024)
        for one in types
    ]


def parse_spot_prices(history: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Price of an hour by instance type: the newest of each zone, the mean of the zones."""
    newest: dict[tuple[str, str], tuple[Any, float]] = {}
    for one in history:
        if LINUX not in one["ProductDescription"]:
            continue
        key = one["InstanceType"], one["AvailabilityZone"]
        if key not in newest or one["Timestamp"] > newest[key][0]:
            newest[key] = one["Timestamp"], float(one["SpotPrice"])
    by_type: defaultdict[str, list[float]] = defaultdict(list)
    for (name, _), (_, price) in newest.items():
        by_type[name].append(price)
    return {name: fmean(prices) for name, prices in by_type.items()}


def parse_products(products: Iterable[str]) -> dict[str, float]:
    """Price of an hour on demand by instance type, out of GetProducts' PriceList: each entry is JSON as a text."""
    found: dict[str, float] = {}
    for text in products:
        product = json.loads(text)
        name = product["product"]["attributes"].get("instanceType")
        price = next(_hourly_prices(product), None)
        if name and price:
            found[name] = price
    return found


def _hourly_prices(product: Mapping[str, Any]) -> Iterator[float]:
    for offer in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in offer["priceDimensions"].values():
            if dimension.get("unit") == HOURS:
                prices = dimension["pricePerUnit"]
                yield from (float(prices[one]) for one in CURRENCIES if one in prices)
