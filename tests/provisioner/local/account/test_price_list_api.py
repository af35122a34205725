"""Prices of the local account, as the engine asks for them."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from engine.aws.session import region_of
from engine.pricing.price_answers import parse_products, parse_spot_prices
from tests.support.local_aws.account import Account


def test_the_price_list_has_what_a_filter_leaves_page_by_page(account: Account) -> None:
    prices = account.aws.client("pricing")
    filters = [
        {"Type": "TERM_MATCH", "Field": "regionCode", "Value": "us-east-1"},
        {"Type": "ANY_OF", "Field": "instanceType", "Value": "m5.large,c5.xlarge,p3.2xlarge"},
    ]
    first = prices.get_products(ServiceCode="AmazonEC2", Filters=filters, MaxResults=1)
    last = prices.get_products(ServiceCode="AmazonEC2", Filters=filters, MaxResults=1, NextToken=first["NextToken"])
    found = parse_products([*first["PriceList"], *last["PriceList"]])
    assert found == {"c5.xlarge": pytest.approx(0.17), "m5.large": pytest.approx(0.096)}
    assert "NextToken" not in last


def test_another_service_and_another_kind_of_filter_are_refused(account: Account) -> None:
    prices = account.aws.client("pricing")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        prices.get_products(ServiceCode="AmazonTea")
    wrong = {"Type": "LIKE", "Field": "regionCode", "Value": "us"}
    with pytest.raises(ClientError, match="InvalidParameterException"):
        prices.get_products(ServiceCode="AmazonEC2", Filters=[wrong])


def test_spot_prices_are_there_by_zone(account: Account) -> None:
    history = account.aws.client("ec2").describe_spot_price_history(InstanceTypes=["m5.large"])["SpotPriceHistory"]
    assert {one["AvailabilityZone"] for one in history} > {"us-east-1a", "us-east-1b"}
    assert parse_spot_prices(history)["m5.large"] > 0


def test_price_lists_are_in_one_place_and_all_else_where_it_is_asked_about() -> None:
    assert region_of("pricing", "eu-west-1") == "us-east-1"
    assert region_of("pricing", "cn-north-1") == "cn-northwest-1"
    assert region_of("batch", "eu-west-1") == "eu-west-1"
