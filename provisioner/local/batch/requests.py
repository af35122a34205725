"""Request helpers of Batch's control plane: names, ARNs, required fields, pages."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from provisioner.local.batch.errors import client_error, invalid

ACCOUNT: Final = "123456789012"
MAX_RESULTS: Final = 100
MAX_ENDINGS: Final = 50
STATES: Final = ("ENABLED", "DISABLED")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
JOB_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(:[0-9]+)?")
Json = dict[str, Any]


def arn_of(region: str, kind: str, name: str) -> str:
    """ARN of a Batch resource or job."""
    return f"arn:aws:batch:{region}:{ACCOUNT}:{kind}/{name}"


def short_name(name_or_arn: str) -> str:
    """The name at the end of an ARN; a name stays as it is."""
    return name_or_arn.rpartition("/")[2]


def required(request: Mapping[str, Any], field: str) -> str:
    """A field's text. Raises `BatchError` when it is missing or empty."""
    value = request.get(field)
    if not value:
        raise invalid(f"{field} must not be empty.")
    return str(value)


def new_name(request: Mapping[str, Any], field: str, taken: Collection[str] = ()) -> str:
    """The name of something to make. Raises `BatchError` when it can't be one, or is taken."""
    name = required(request, field)
    if not NAME.fullmatch(name):
        raise invalid(f"{field} should match valid pattern {NAME.pattern}, got {name!r}.")
    if name in taken:
        raise client_error(f"Object already exists: {name}")
    return name


def state_of(request: Mapping[str, Any], otherwise: str) -> str:
    """ENABLED or DISABLED, as given or as it was. Raises `BatchError` for anything else."""
    state = str(request.get("state") or otherwise)
    if state not in STATES:
        raise invalid(f"state must be one of {', '.join(STATES)}, got {state}.")
    return state


def check_settled(status: str, what: str) -> None:
    """`what` is update or delete; neither goes while an earlier one is under way."""
    if status not in ("VALID", "INVALID"):
        raise client_error(f"Cannot {what}, resource is being modified")


def chosen(wanted: Sequence[str] | None, known: Mapping[str, Any]) -> list[Any]:
    """All, or those that were asked for; AWS leaves out what it does not know."""
    if not wanted:
        return list(known.values())
    if len(wanted) > MAX_RESULTS:
        raise invalid(f"At most {MAX_RESULTS} resources can be described, got {len(wanted)}.")
    return [known[short_name(name)] for name in wanted if short_name(name) in known]


def page(request: Mapping[str, Any], key: str, details: Sequence[Json]) -> Json:
    """A page of `details`, at most 100 of them, and the token of the next one."""
    token = str(request.get("nextToken") or 0)
    if not token.isdecimal():
        raise client_error("Invalid nextToken.")
    size = int(request.get("maxResults") or MAX_RESULTS)
    start, end = int(token), int(token) + max(1, min(size, MAX_RESULTS))
    answer: Json = {key: details[start:end]}
    if end < len(details):
        answer["nextToken"] = str(end)
    return answer
