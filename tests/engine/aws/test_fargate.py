"""Sizes on Fargate: the next that is large enough in both."""

from __future__ import annotations

import pytest

from engine.aws.fargate import fitting_size


@pytest.mark.parametrize(
    ("vcpus", "memory_mib", "size"),
    [
        (0.25, 512, (0.25, 512)),
        (0.25, 513, (0.25, 1024)),
        (1, 100, (1, 2048)),
        (1, 9000, (2, 9216)),
        (3, 100, (4, 8192)),
        (16, 122880, (16, 122880)),
        (17, 100, None),
        (1, 122881, None),
    ],
)
def test_a_size_is_the_smallest_that_has_as_much_of_both(
    vcpus: float, memory_mib: int, size: tuple[float, int] | None
) -> None:
    assert fitting_size(vcpus, memory_mib) == size
