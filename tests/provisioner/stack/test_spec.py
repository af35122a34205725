"""What may be asked for, and what memory a container gets of it."""

from __future__ import annotations

import pytest

from engine.aws.retry_rules import RETRY_STRATEGY
from engine.errors import ConfigError
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ATTEMPTS, ProvisionSpec


@pytest.mark.parametrize(
    ("memory", "total", "container"),
    [
        (4000, 4096, 3686),
        (2048, 2048, 1843),
        (1, 2048, 1843),
        (3071, 2048, 1843),
        (3072, 4096, 3686),
        (16384, 16384, 14745),
    ],
)
def test_memory_is_rounded_to_the_nearest_2048_and_the_container_gets_90_percent(
    memory: int, total: int, container: int
) -> None:
    spec = ProvisionSpec(image="image", memory=memory)
    assert (spec.total_memory, spec.container_memory) == (total, container)


@pytest.mark.parametrize(
    ("flag", "choices"),
    [
        ("--image", {"image": ""}),
        ("--image", {"image": "two words"}),
        ("--region", {"region": "virginia"}),
        ("--prefix", {"prefix": "Scaler"}),
        ("--prefix", {"prefix": "x" * 33}),
        ("--prefix", {"prefix": "scaler-"}),
        ("--vcpus", {"vcpus": 0}),
        ("--memory", {"memory": 0}),
        ("--max-vcpus", {"max_vcpus": 2, "vcpus": 4}),
        ("--job-timeout", {"job_timeout": 0}),
        ("--instance-types", {"instance_types": ("",)}),
        ("--instance-types", {"instance_types": ()}),
        *(("--prefix", {"prefix": name}) for name in ("sg-team", "xn--team", "sthree-team", "amzn-s3-demo-team")),
        *(("--instance-types", {"instance_types": (name,)}) for name in ("a1", "inf2.xlarge", "trn1", "mac1.metal")),
        *(
            ("--instance-types", {"instance_types": (name,), "gpus": 1})
            for name in ("p2", "p3.2xlarge", "p3dn", "g3", "g3s.xlarge", "g5g")
        ),
        ("--vcpus", {"vcpus": 1000, "max_vcpus": 2000}),
        ("--vcpus", {"vcpus": 16, "instance_types": ("c7i.2xlarge", "m7i.large")}),
        ("--memory", {"memory": 65536, "instance_types": ("t2.micro",)}),
        ("--disk-gib", {"disk_gib": 29}),
        ("--disk-gib", {"disk_gib": 16385}),
        ("--shm-mib", {"shm_mib": 0}),
        ("--shm-mib", {"memory": 2048, "shm_mib": 1843}),
        ("--ami", {"ami": "i-0a1b2c3d"}),
        *(
            ("--kms-key", {"kms_key": key})
            for key in (
                "team",
                "alias/aws/s3",
                "key/0a1b2c3d",
                "arn:aws:kms:eu-west-1:123456789012:key/0a1b2c3d",
                "arn:aws:iam::123456789012:role/team",
            )
        ),
        *(
            ("--efs", {"efs": (text,)})
            for text in ("fs-0a1b", "fs-0a1b:", "fs-0a1b:data", "fs-0a1b:/", "fs-0a1b:/mnt/../etc", "fs-0a1b:/app/data")
        ),
        ("--efs", {"efs": ("fs-0a1b:/mnt", "fs-0a1c:/mnt")}),
        ("--vcpus", {"fargate": True, "vcpus": 3}),
        ("--memory", {"fargate": True, "vcpus": 1, "memory": 8193}),
        ("--gpus", {"fargate": True, "gpus": 1}),
        ("--instance-types", {"fargate": True, "instance_types": ("c7i",)}),
        ("--ami", {"fargate": True, "ami": "ami-0a1b"}),
        ("--shm-mib", {"fargate": True, "shm_mib": 128}),
        ("--disk-gib", {"fargate": True, "disk_gib": 201}),
    ],
)
def test_a_choice_that_cannot_work_names_its_flag(flag: str, choices: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        ProvisionSpec(**{"image": "image", **choices})  # type: ignore[arg-type]
    assert str(caught.value).startswith(flag)


def test_the_longest_names_fit_into_what_aws_allows() -> None:
    stack = Stack("ap-southeast-1", "x" * 32, "123456789012", "aws")
    assert len(stack.bucket) <= 63
    assert len(stack.execution_role) <= 64


@pytest.mark.parametrize(
    "choices",
    [
        {"vcpus": 8, "max_vcpus": 8, "instance_types": ("c7i.2xlarge",)},
        {"vcpus": 192, "instance_types": ("optimal",)},
        {"memory": 1_900_000, "instance_types": ("x2iedn.32xlarge",)},
        {"gpus": 1, "instance_types": ("g4dn", "g6e.xlarge", "p4d.24xlarge")},
        {"instance_types": ("m7i.metal-24xl",), "vcpus": 96},
    ],
)
def test_what_fits_the_largest_instance_is_taken(choices: dict[str, object]) -> None:
    ProvisionSpec(image="image", **choices)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("choices", "days"),
    [({}, 1), ({"job_timeout": 480}, 1), ({"job_timeout": 481}, 2), ({"job_timeout": 20160}, 42)],
)
def test_objects_are_needed_as_long_as_all_attempts_of_a_job_may_take(choices: dict[str, int], days: int) -> None:
    assert ProvisionSpec(image="image", **choices).needed_expiry_days == days  # type: ignore[arg-type]


def test_the_attempts_are_those_of_the_retry_rules() -> None:
    assert RETRY_STRATEGY["attempts"] == ATTEMPTS


@pytest.mark.parametrize(
    ("vcpus", "memory", "container"),
    [(1, 1, 2048), (1, 2049, 3072), (2, 2048, 4096), (8, 20000, 20480), (16, 9, 32768)],
)
def test_on_fargate_a_container_has_the_next_memory_that_goes_with_its_vcpus(
    vcpus: int, memory: int, container: int
) -> None:
    spec = ProvisionSpec(image="image", fargate=True, vcpus=vcpus, memory=memory)
    assert spec.total_memory == spec.container_memory == container
