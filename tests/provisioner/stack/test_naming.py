"""Every partition of AWS: names and principals come from botocore's data, none is written down."""

from __future__ import annotations

import boto3
import pytest

from provisioner.clients import Clients
from provisioner.plan.catalog import desired_resources
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

PLACES = [
    ("us-east-1", "aws", "amazonaws.com"),
    ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
]


@pytest.mark.parametrize(("region", "partition", "suffix"), PLACES)
def test_a_region_tells_its_partition_and_its_suffix(
    session: boto3.Session, region: str, partition: str, suffix: str
) -> None:
    clients = Clients(region, session=session)
    assert (clients.partition, clients.dns_suffix) == (partition, suffix)


@pytest.mark.parametrize(("region", "partition", "suffix"), PLACES)
def test_every_arn_is_of_the_partition(region: str, partition: str, suffix: str) -> None:
    stack = Stack(region, "team", "123456789012", partition, suffix)
    arns = [resource.arn for resource in desired_resources(ProvisionSpec(image=None, spot=True), stack, "vpc-1")]
    assert {arn.split(":")[1] for arn in arns} == {partition}
