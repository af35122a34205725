"""Limits of a job's size: what nothing can serve is refused with the largest; what isn't known refuses nothing."""

from __future__ import annotations

from typing import Any, cast

import pytest

from engine.aws.client import AwsClient
from engine.aws.errors import AwsError, ErrorAction
from engine.aws.fargate import FargateSize
from engine.backends.batch.preflight import Surroundings
from engine.backends.batch.submit.size_limits import READ_AGAIN_S, SizeLimits
from engine.model import ResourceShape

EC2 = {"computeResources": {"type": "SPOT", "instanceTypes": ["c6i", "g6.xlarge"]}}
UNMANAGED: dict[str, Any] = {"type": "UNMANAGED"}
TYPES: list[dict[str, Any]] = [
    {"InstanceType": "c6i.large", "VCpuInfo": {"DefaultVCpus": 2}, "MemoryInfo": {"SizeInMiB": 4096}},
    {
        "InstanceType": "g6.xlarge",
        "VCpuInfo": {"DefaultVCpus": 4},
        "MemoryInfo": {"SizeInMiB": 16384},
        "GpuInfo": {"Gpus": [{"Count": 1}]},
    },
]


class Ec2:
    """EC2 that knows two types; what it was asked for."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.error: AwsError | None = None

    async def call(self, _: object, **arguments: Any) -> dict[str, Any]:
        self.calls.append(arguments["Filters"][0]["Values"])
        if self.error is not None:
            raise self.error
        first = "NextToken" not in arguments
        return {"InstanceTypes": TYPES[:1], "NextToken": "2"} if first else {"InstanceTypes": TYPES[1:]}


def limits(ec2: Ec2, *environments: dict[str, Any], fargate: FargateSize | None = None) -> SizeLimits:
    found = Surroundings((), "", 0, 1, 1843, False, {}, environments, fargate)
    now = iter(range(0, 10**9, int(READ_AGAIN_S) // 2))
    return SizeLimits(client=cast("AwsClient", ec2), surroundings=found, clock=lambda: next(now))


@pytest.mark.parametrize(
    ("shape", "largest_mib"), [(ResourceShape(), 15532), (ResourceShape(gpus=1), 15532), (ResourceShape(vcpus=8), None)]
)
async def test_the_largest_memory_is_that_of_the_types_that_have_the_rest(
    shape: ResourceShape, largest_mib: int | None
) -> None:
    assert await limits(Ec2(), EC2).largest_memory(shape) == largest_mib


@pytest.mark.parametrize(
    ("shape", "largest"),
    [
        (ResourceShape(vcpus=4, memory_mib=16352), ""),
        (ResourceShape(gpus=1), ""),
        (ResourceShape(vcpus=8), "8 vCPUs, 1843 MiB and 0 GPUs: the largest is g6.xlarge with 4 vCPUs, 15532 MiB"),
        (ResourceShape(memory_mib=16384), "the largest is g6.xlarge"),
        (ResourceShape(gpus=2), "2 GPUs: the largest is g6.xlarge"),
    ],
)
async def test_what_no_instance_type_has_is_refused_with_the_largest(shape: ResourceShape, largest: str) -> None:
    told = await limits(Ec2(), EC2).refusal(shape)
    assert largest in told
    assert bool(told) == bool(largest)


@pytest.mark.parametrize(
    ("shape", "is_refused"),
    [
        (ResourceShape(vcpus=16, memory_mib=122880), False),
        (ResourceShape(memory_mib=122881), True),
        (ResourceShape(vcpus=17), True),
        (ResourceShape(gpus=1), True),
    ],
)
async def test_fargate_serves_its_own_sizes_only(shape: ResourceShape, is_refused: bool) -> None:
    told = await limits(Ec2(), fargate=FargateSize(1, 2048)).refusal(shape)
    assert ("the largest is Fargate with 16 vCPUs, 122880 MiB and no GPU" in told) == is_refused


async def test_what_cannot_be_read_refuses_nothing() -> None:
    ec2 = Ec2()
    ec2.error = AwsError("DescribeInstanceTypes", ErrorAction.REFUSED, "UnauthorizedOperation", "not allowed")
    assert await limits(ec2, EC2).refusal(ResourceShape(vcpus=1000)) == ""


async def test_environments_of_unknown_instances_refuse_nothing() -> None:
    ec2 = Ec2()
    assert await limits(ec2, EC2, UNMANAGED).refusal(ResourceShape(vcpus=1000)) == ""
    assert ec2.calls == []


async def test_it_is_read_once_an_hour_and_only_for_tasks_that_ask() -> None:
    ec2 = Ec2()
    asked = limits(ec2, EC2)
    await asked.refusal(ResourceShape())
    assert ec2.calls == []
    for _ in range(2):
        await asked.refusal(ResourceShape(vcpus=1))
    assert ec2.calls == [["c6i.*", "g6.xlarge"]] * 2  # two pages
