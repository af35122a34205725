"""The ways in which one call can go wrong, as the local AWS is told."""

from __future__ import annotations

from enum import StrEnum

ATTEMPTS = 10
"""botocore's, of one call of the provisioner."""


class Fault(StrEnum):
    """What happens to one call. `DENIED` lasts, as a missing permission does; the others pass."""

    DENIED = "denied"
    THROTTLED = "throttled through all retries"
    CUT_OFF = "cut off through all retries"
    ANSWER_LOST = "its answer lost once"
    ANSWERS_LOST = "its answer lost through all retries"

    def of(self, api: str, before: int) -> str:
        """The short form that strikes the call of that API which follows `before` others of it."""
        return FORMS[self].format(api=api, before=before)


FORMS = {
    Fault.DENIED: "error:{api}:403:after={before}",
    Fault.THROTTLED: f"throttle:{{api}}:0/s:after={{before}}:x{ATTEMPTS}",
    Fault.CUT_OFF: f"lost:{{api}}:after={{before}}:x{ATTEMPTS}",
    Fault.ANSWER_LOST: "ambiguous:{api}:after={before}:x1",
    Fault.ANSWERS_LOST: f"ambiguous:{{api}}:after={{before}}:x{ATTEMPTS}",
}
