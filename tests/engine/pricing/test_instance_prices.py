"""Prices of a vCPU and of a GiB out of instances' prices."""

from __future__ import annotations

import pytest

from engine.pricing.instance_prices import InstanceShape, PricedInstance, choose_types, price_of


def priced(name: str, vcpus: int, gib: float, hourly: float) -> PricedInstance:
    return PricedInstance(InstanceShape(name, vcpus, gib), hourly)


def test_an_instance_is_split_as_aws_splits_it() -> None:
    """The example of AWS's own page: 4 vCPUs and 16 GB for a dollar are 0.17 a vCPU and 0.02 a GB."""
    price = price_of([priced("m5.xlarge", 4, 16, 1.0)], "test", 1.0)
    assert (round(price.vcpu_hour or 0.0, 2), round(price.gib_hour, 2)) == (0.17, 0.02)


def test_a_job_that_takes_a_whole_instance_pays_for_it() -> None:
    price = price_of([priced("c5.xlarge", 4, 8, 0.17)], "test", 1.0)
    assert 4 * (price.vcpu_hour or 0.0) + 8 * price.gib_hour == pytest.approx(0.17)


def test_of_several_the_one_in_the_middle_counts_and_the_others_are_the_range() -> None:
    instances = [priced("c.large", 2, 4, 0.2), priced("a.large", 2, 4, 0.04), priced("b.large", 2, 4, 0.08)]
    price = price_of(instances, "test", 1.0)
    assert (price.low, price.high, price.types) == (0.02, 0.1, 3)
    assert price.vcpu_hour == pytest.approx(9 * 0.08 / 22)


def test_no_instance_has_no_price() -> None:
    with pytest.raises(ValueError, match="no instance"):
        price_of([], "test", 1.0)


def test_of_a_family_the_smallest_are_asked_for_and_what_is_named_always() -> None:
    sizes = [("nano", 1), ("large", 2), ("xlarge", 4), ("2xlarge", 8), ("4xlarge", 16), ("8xlarge", 32), ("metal", 96)]
    shapes = [InstanceShape(f"m5.{size}", vcpus, vcpus * 4) for size, vcpus in sizes]
    chosen = [one.name for one in choose_types(shapes, frozenset({"m5.nano", "m5.metal"}))]
    assert chosen == ["m5.nano", "m5.large", "m5.xlarge", "m5.2xlarge", "m5.4xlarge", "m5.metal"]
