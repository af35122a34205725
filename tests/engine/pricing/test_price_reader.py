"""Prices as they are read from AWS's own answers, and what is said where they can't be."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.aws.budget import Sleep
from engine.aws.calls.operations import Operation
from engine.aws.errors import AwsError, classify_answer
from engine.config.settings import GivenPrice
from engine.pricing.price_reader import BY_FLAG, ON_DEMAND_SOURCE, SPOT_SOURCE, TRY_AGAIN_S, PriceReader
from tests.support.recorded_answers import NOW, answer_of


class Aws:
    """Client whose answers are the recorded ones; an API in `refused` is denied, one in `empty` answers nothing."""

    def __init__(self) -> None:
        self.session = SimpleNamespace(region="us-east-1")
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refused: set[str] = set()
        self.empty: set[str] = set()
        self.hangs = False

    async def call(self, operation: Operation, *, tries: int, **arguments: Any) -> dict[str, Any]:
        assert tries == 1, "nobody waits for a price"
        self.asked.append((operation.api, arguments))
        if self.hangs:
            await asyncio.Event().wait()
        if operation.api in self.refused:
            error: AwsError = classify_answer(operation.api, 400, "UnauthorizedOperation", "no")
            raise error
        if operation.api in self.empty:
            return {operation.required[0]: []}
        if operation.api == "DescribeInstanceTypes":
            return answer_of("ec2", operation.api)
        if operation.api == "DescribeSpotPriceHistory":
            return answer_of("ec2", operation.api, ProductDescriptions=["Linux/UNIX"])
        return answer_of("pricing", operation.api, ServiceCode="AmazonEC2")


async def at_once(seconds: float) -> None:
    pass


def reader(aws: Aws, *kinds: str, given: GivenPrice | None = None, sleep: Sleep = at_once) -> PriceReader:
    environments = [{"computeResources": {"type": kind, "instanceTypes": ["m5"]}} for kind in kinds]
    return PriceReader(
        client=cast("Any", aws), environments=environments, given=given, wall_clock=lambda: NOW, sleep=sleep
    )


async def test_spot_is_the_mean_of_what_holds_now_in_each_zone() -> None:
    price = await reader(Aws(), "SPOT").read()
    assert price.low == pytest.approx((0.0364 + 0.034) / 2 / 2)
    assert (price.source, price.read_at, price.note) == (SPOT_SOURCE, NOW, "")


async def test_on_demand_is_the_price_list_of_linux_in_the_region() -> None:
    aws = Aws()
    price = await reader(aws, "EC2").read()
    assert price.low == pytest.approx(0.048)
    assert price.source == ON_DEMAND_SOURCE
    filters = {one["Field"]: (one["Type"], one["Value"]) for one in aws.asked[-1][1]["Filters"]}
    assert filters["regionCode"] == ("TERM_MATCH", "us-east-1")
    assert filters["instanceType"] == ("ANY_OF", "m5.large")


async def test_a_queue_of_both_has_the_range_of_both() -> None:
    price = await reader(Aws(), "SPOT", "EC2").read()
    assert (price.types, price.source) == (2, f"{SPOT_SOURCE} and {ON_DEMAND_SOURCE}")
    assert (price.low or 0.0) < (price.high or 0.0)


async def test_a_price_that_is_given_is_never_asked_for() -> None:
    aws = Aws()
    given = reader(aws, "SPOT", given=0.04)
    assert (given.price.vcpu_hour, given.price.source) == (0.04, BY_FLAG)
    assert await given.read() == given.price
    await given.run()
    assert aws.asked == []


async def test_prices_of_instance_types_need_their_sizes_alone() -> None:
    aws = Aws()
    price = await reader(aws, "SPOT", given={"m5.large": 0.1}).read()
    assert (price.low, [api for api, _ in aws.asked]) == (0.05, ["DescribeInstanceTypes"])


@pytest.mark.parametrize(
    ("kind", "refused", "empty", "given", "said"),
    [
        ("SPOT", "DescribeSpotPriceHistory", "", None, "grant ec2:DescribeSpotPriceHistory"),
        ("EC2", "GetProducts", "", None, "grant pricing:GetProducts"),
        ("EC2", "DescribeInstanceTypes", "", None, "grant ec2:DescribeInstanceTypes"),
        ("SPOT", "", "DescribeSpotPriceHistory", None, "have none for these instance types"),
        ("SPOT", "", "DescribeInstanceTypes", None, "EC2 has no instance types m5"),
        ("FARGATE", "", "", None, "AWS tells no prices of Fargate"),
        ("SPOT", "", "", {"m9.huge": 1.0}, "EC2 has no instance type m9.huge"),
    ],
)
async def test_what_can_not_be_read_is_unknown_with_its_reason(
    kind: str, refused: str, empty: str, given: GivenPrice | None, said: str
) -> None:
    aws = Aws()
    aws.refused, aws.empty = {refused}, {empty}
    price = await reader(aws, kind, given=given).read()
    assert price.vcpu_hour is None
    assert said in price.note


async def test_aws_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.pricing.price_reader.READ_TIMEOUT_S", 0.0)
    aws = Aws()
    aws.hangs = True
    assert "did not answer" in (await reader(aws, "SPOT").read()).note


async def test_a_price_that_can_not_be_read_again_is_kept() -> None:
    aws = Aws()
    prices = reader(aws, "EC2")
    known = await prices.read()
    aws.refused = {"GetProducts"}
    kept = await prices.read()
    assert kept.vcpu_hour == known.vcpu_hour
    assert "denied" in kept.note


async def test_it_is_read_once_somebody_looks_and_tried_again_soon_after_a_refusal() -> None:
    aws, sleeps = Aws(), list[float]()
    aws.refused = {"DescribeSpotPriceHistory"}
    twice = asyncio.Event()

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == 2:
            twice.set()
            await asyncio.Event().wait()

    prices = reader(aws, "SPOT", sleep=sleep)
    running = asyncio.create_task(prices.run())
    for _ in range(5):
        await asyncio.sleep(0)
    assert aws.asked == []
    assert prices.price.vcpu_hour is None
    await twice.wait()
    assert sleeps == [TRY_AGAIN_S, TRY_AGAIN_S]
    running.cancel()
