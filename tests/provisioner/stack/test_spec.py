"""What may be asked for, and what memory a container gets of it."""

from __future__ import annotations

import pytest

from engine.errors import ConfigError
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec


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
