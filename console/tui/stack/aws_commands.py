"""Commands of the AWS CLI that describe a resource and change nothing, for a person to copy."""

from __future__ import annotations

import shlex

from provisioner.kinds import ResourceKind


def describe_command(kind: ResourceKind, name: str, region: str) -> str:
    """Command that describes the resource; empty for a kind that has none."""
    if not kind.describe:
        return ""
    where = "" if kind.is_global else f" --region {shlex.quote(region)}"
    return f"aws {kind.describe.format(shlex.quote(name))}{where}"
