"""AWS's list of IAM actions and of the resources that each takes, as the policy linter brings it along."""

from __future__ import annotations

from collections.abc import Iterable

from parliament import is_arn_match
from parliament.statement import get_arn_format, get_privilege_info

from tests.support.provisioner.permissions.matching import Need

Types = dict[str, bool]
"""Resource types of an action, and whether it can't do without."""


def types_of(action: str) -> Types:
    """Raises parliament's `UnknownActionException` for what is no action."""
    listed = [one["resource_type"] for one in get_privilege_info(*action.split(":"))["resource_types"]]
    return {kind.rstrip("*"): kind.endswith("*") for kind in listed if kind}


def unfit(need: Need) -> bool:
    """Its resource is of no type that the action takes; an action that takes none has every resource."""
    kinds = types_of(need.action)
    return bool(kinds) and not any(_is_of(need, kind) for kind in kinds)


def missing(action: str, needs: Iterable[Need]) -> list[str]:
    """Types of resources that the action can't do without, and that nobody needed it for."""
    of_action = [need for need in needs if need.action == action]
    required = [kind for kind, needed in types_of(action).items() if needed]
    return [kind for kind in required if not any(_is_of(one, kind) for one in of_action)]


def _is_of(need: Need, kind: str) -> bool:
    prefix, name = need.action.split(":")
    info = get_privilege_info(prefix, name)
    arn_format = get_arn_format(kind, info["service_resources"])
    matched: bool = is_arn_match(kind, arn_format, need.resource)
    return matched
