"""Checks of the engine itself: submission, slots, throttling."""

from __future__ import annotations

import msgspec
import pytest

from engine.model import Link, Quota, QuotaId
from engine.telemetry.schema.messages import CheckStatus, JobState, ManagerView
from engine.telemetry.server.engine_checks import SLOTS, SUBMITTING, THROTTLING, engine_checks
from engine.telemetry.server.snapshot_builder import build_view
from tests.support.engine.managed_tasks import Managed


def view(**changes: object) -> ManagerView:
    return msgspec.structs.replace(build_view(Managed(), 0.0), **changes)


@pytest.mark.parametrize(
    ("manager", "name", "result", "evidence"),
    [
        (view(), SUBMITTING, CheckStatus.PASS, "all links are up"),
        (view(paused="ExpiredToken"), SUBMITTING, CheckStatus.FAIL, "ExpiredToken"),
        (view(draining=True), SUBMITTING, CheckStatus.WARN, "drains"),
        (view(links=(Link("scheduler", False, 0.0, "gone"),)), SUBMITTING, CheckStatus.WARN, "scheduler is down: gone"),
        (view(slots_used=3), SLOTS, CheckStatus.PASS, "3 of 4 slots: we are not the limiter"),
        (view(slots_used=4, counts={JobState.QUEUED: 9}), SLOTS, CheckStatus.WARN, "4 of 4 slots: 9 tasks wait"),
        (view(), THROTTLING, CheckStatus.UNKNOWN, "not counted yet"),
        (
            view(quotas=(Quota("SubmitJob", 46, 50, "/s", "", 0.0, 14, id=QuotaId.SUBMIT_RATE),)),
            THROTTLING,
            CheckStatus.PASS,
            "throttled 14 times",
        ),
        (
            view(quotas=(Quota("SubmitJob", 9, 50, "/s", "", 0, 1, 2.5, id=QuotaId.SUBMIT_RATE),)),
            THROTTLING,
            CheckStatus.WARN,
            "backing off 2.5 s",
        ),
    ],
)
def test_the_engines_own_checks(manager: ManagerView, name: str, result: CheckStatus, evidence: str) -> None:
    [check] = [one for one in engine_checks(manager, 5.0) if one.name == name]
    assert check.result is result
    assert evidence in check.evidence
