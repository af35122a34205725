"""Validation of a compute environment's instance types: names that EC2 knows, of one architecture.

https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeResource.html, instanceTypes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from provisioner.local.batch.account import Account
from provisioner.local.batch.errors import invalid

X86, ARM = "x86_64", "arm64"
WORDS: Final[Mapping[str, str]] = {"optimal": X86, "default_x86_64": X86, "default_arm64": ARM}


def check_types(types: Sequence[str], account: Account) -> None:
    """Raises `BatchError` for no types, unknown ones, or several architectures."""
    if not types:
        raise invalid("instanceTypes must not be empty.")
    for name in types:
        if not architectures(name, account):
            raise invalid(f"Instance type can only be one of [{', '.join(WORDS)}, …], got {name}.")
    if not shared(types, account):
        raise invalid(f"Instance types [{', '.join(types)}] must share one architecture.")


def shared(types: Sequence[str], account: Account) -> frozenset[str]:
    """The architectures that all of them have."""
    return frozenset((X86, ARM)).intersection(*(architectures(name, account) for name in types))


def architectures(name: str, account: Account) -> frozenset[str]:
    """Architectures of one of Batch's own words, an instance type or a family."""
    return frozenset({WORDS[name]}) if name in WORDS else account.architectures(name)
