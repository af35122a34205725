"""Reader of prices from AWS, in the background: nothing waits for it but a start with a budget.

It reads once somebody looks at prices, and then every hour. What can't be read stays unknown, with its reason; what was
read before is kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from engine.aws.budget import Clock, Sleep
from engine.aws.calls.operations import DESCRIBE_INSTANCE_TYPES, DESCRIBE_SPOT_PRICES, GET_PRODUCTS, Operation
from engine.aws.client import AwsClient
from engine.aws.error_text import describe_error
from engine.aws.errors import AwsError
from engine.config.settings import GivenPrice
from engine.diagnosis.checks.instance_fit import instance_patterns
from engine.model import Price
from engine.pricing.instance_prices import InstanceShape, PricedInstance, choose_types, match_prices, price_of
from engine.pricing.price_answers import LINUX, parse_products, parse_shapes, parse_spot_prices

logger = logging.getLogger(__name__)

READ_AGAIN_S: Final = 3600.0
TRY_AGAIN_S: Final = 300.0
READ_TIMEOUT_S: Final = 30.0
"""Of all reads together."""
MOST_PAGES: Final = 10
PAGE: Final = 100
NOT_READ: Final = "not read yet"
BY_FLAG: Final = "--price"
SPOT_SOURCE: Final = "EC2 Spot price history"
ON_DEMAND_SOURCE: Final = "AWS price list"


class PriceUnknown(Exception):
    """Prices can't be read; the text says why."""


class PriceReader:
    """Price of what a queue's environments may start. `given` is what `--price` says, None without it.

    `environments` are DescribeComputeEnvironments' answers; `wall_clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        client: AwsClient,
        environments: Sequence[Mapping[str, Any]],
        given: GivenPrice | None,
        wall_clock: Clock = time.time,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client = client
        self._environments = environments
        self._given = given
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._wanted = asyncio.Event()
        self._price = Price(note=NOT_READ)
        if isinstance(given, int | float):
            self._price = price_by_vcpu(given, wall_clock())

    @property
    def price(self) -> Price:
        """The price as it is known now; asking makes it be read."""
        self._wanted.set()
        return self._price

    async def run(self) -> None:
        """Read when somebody asked, and then again and again, until cancelled."""
        await self._wanted.wait()
        while not isinstance(self._given, int | float):
            await self.read()
            await self._sleep(TRY_AGAIN_S if self._price.note else READ_AGAIN_S)

    async def read(self) -> Price:
        """Read the price now. Raises nothing: what can't be read is in the price's note."""
        if isinstance(self._given, int | float):
            return self._price
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                self._price = await self._read()
        except TimeoutError:
            self._note(f"AWS did not answer within {READ_TIMEOUT_S:.0f} s")
        except AwsError as error:
            self._note(describe_error(error))
        except PriceUnknown as error:
            self._note(str(error))
        except (LookupError, TypeError, ValueError) as error:  # an answer of another form
            self._note(f"AWS's answer can't be read ({type(error).__name__}): give --price")
        return self._price

    def _note(self, why: str) -> None:
        if why != self._price.note:
            logger.info("prices of instances can't be read: %s", why)
        self._price = msgspec.structs.replace(self._price, note=why)

    async def _read(self) -> Price:
        if isinstance(self._given, Mapping):
            return await self._by_type(self._given)
        kinds = {kind: _instance_types(self._environments, kind) for kind in ("SPOT", "EC2")}
        found: list[PricedInstance] = []
        sources: list[str] = []
        for kind, types in kinds.items():
            if types:
                shapes = await self._shapes(types)
                is_spot = kind == "SPOT"
                found += match_prices(shapes, await (self._spot(shapes) if is_spot else self._on_demand(shapes)))
                sources.append(SPOT_SOURCE if is_spot else ON_DEMAND_SOURCE)
        if not sources:
            raise PriceUnknown("AWS tells no prices of Fargate and of unmanaged environments: give --price")
        if not found:
            raise PriceUnknown(f"the {' and the '.join(sources)} have none for these instance types: give --price")
        return price_of(found, " and ".join(sources), self._wall_clock())

    async def _by_type(self, hourly: Mapping[str, float]) -> Price:
        types = await self._pages(
            DESCRIBE_INSTANCE_TYPES,
            "InstanceTypes",
            Filters=[{"Name": "instance-type", "Values": sorted(hourly)}],
        )
        found = match_prices(parse_shapes(types), hourly)
        if len(found) < len(hourly):
            missing = sorted(hourly.keys() - {one.shape.name for one in found})
            raise PriceUnknown(f"EC2 has no instance type {', '.join(missing)} in this region: correct --price")
        return price_of(found, BY_FLAG, self._wall_clock())

    async def _shapes(self, types: Sequence[str]) -> list[InstanceShape]:
        patterns = sorted(set(instance_patterns(types)))
        filters = [{"Name": "instance-type", "Values": patterns}]
        described = await self._pages(DESCRIBE_INSTANCE_TYPES, "InstanceTypes", Filters=filters)
        shapes = choose_types(parse_shapes(described), frozenset(types))
        if not shapes:
            raise PriceUnknown(f"EC2 has no instance types {', '.join(types)} in this region: give --price")
        return shapes

    async def _spot(self, shapes: Sequence[InstanceShape]) -> dict[str, float]:
        """With a begin of now AWS gives what holds at present."""
        history = await self._pages(
            DESCRIBE_SPOT_PRICES,
            "SpotPriceHistory",
            InstanceTypes=[one.name for one in shapes],
            ProductDescriptions=[LINUX],
            StartTime=datetime.fromtimestamp(self._wall_clock(), UTC),
        )
        return parse_spot_prices(history)

    async def _on_demand(self, shapes: Sequence[InstanceShape]) -> dict[str, float]:
        equals = {
            "regionCode": self._client.session.region,
            "operatingSystem": "Linux",
            "preInstalledSw": "NA",
            "tenancy": "Shared",
            "capacitystatus": "Used",
        }
        filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in equals.items()]
        filters.append({"Type": "ANY_OF", "Field": "instanceType", "Value": ",".join(one.name for one in shapes)})
        products = await self._pages(GET_PRODUCTS, "PriceList", ServiceCode="AmazonEC2", Filters=filters)
        return parse_products(products)

    async def _pages(self, operation: Operation, key: str, **arguments: Any) -> list[Any]:
        found: list[Any] = []
        token = ""
        for _ in range(MOST_PAGES):
            more: dict[str, Any] = {"NextToken": token} if token else {}
            answer = await self._client.call(operation, tries=1, MaxResults=PAGE, **arguments, **more)
            found += answer[key]
            token = answer.get("NextToken") or ""
            if not token:
                break
        return found


def price_by_vcpu(vcpu_hour: float, at: float) -> Price:
    """Price that an operator gave for an hour of a vCPU, with whatever memory comes with it."""
    return Price(vcpu_hour=vcpu_hour, low=vcpu_hour, high=vcpu_hour, source=BY_FLAG, read_at=at)


def _instance_types(environments: Sequence[Mapping[str, Any]], kind: str) -> list[str]:
    """Instance types of the environments of a kind, as they were asked for."""
    resources = [one.get("computeResources") or {} for one in environments]
    return sorted({name for one in resources if one.get("type") == kind for name in one.get("instanceTypes", ())})
