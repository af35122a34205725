"""`scaler-batch jobs --by`: groups as a table and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.cli.commands.jobs import list_groups
from engine.errors import ConfigError
from engine.telemetry.schema.messages import Fit, Forecast, GetGroups, Groups, JobGroup, JobState, Request, Usage

COUNTS = {JobState.SUCCEEDED: 900, JobState.FAILED: 3, JobState.RUNNING: 40, JobState.QUEUED: 57}
USAGE = Usage(7200.0, 14400.0, 360.0, 720.0, 80.0, 160.0, 12.4, 0.62, 6.2)
FIT = Fit(900, 1843, 212, 230, 1.0, 0.4, 512)
PRICE = JobGroup(
    *("price_leg", "wm-1", COUNTS, 5.0, 7, 1.5, 9.0, 1 << 28, 2, 38.5, Forecast(240.0, 420.0, more=True)),
    usage=USAGE,
    fit=FIT,
)
NEW = JobGroup("", "wm-1", {JobState.QUEUED: 1})


class AnsweringClient:
    """Client whose engine has two groups."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def call(self, request: Request) -> Groups:
        self.asked.append(request)
        return Groups("function", (PRICE, NEW), 2, 1001, 10.0)


def show(*, as_json: bool, sort: str = "urgency") -> AnsweringClient:
    client: Any = AnsweringClient()
    list_groups(client, ("function", "=FAILED", sort, False, "", 50), json=as_json)
    found: AnsweringClient = client
    return found


def test_groups_are_a_table_with_their_progress_and_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    client = show(as_json=False)
    head, first, second = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "jobs done failed running waiting p50 p95 retries memory cost vCPU-h left function"
    assert first.split() == [
        "1,000",
        "900",
        "3",
        "40",
        "57",
        "1.5s",
        "9.0s",
        "7",
        "256M",
        "12.40",
        "2.00",
        "≥4m–7m",
        "price_leg",
    ]
    assert second.split() == ["1", "0", "0", "0", "1", "–", "–", "0", "–", "–", "–", "–", "–"]
    assert client.asked == [GetGroups("function", "=FAILED", limit=50)]


def test_json_holds_every_field_and_null_for_what_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    show(as_json=True)
    printed = json.loads(capsys.readouterr().out)
    assert (printed["by"], printed["matching"], printed["total"]) == ("function", 2, 1001)
    known, unknown = printed["groups"]
    assert known["forecast"] == {"low_s": 240.0, "high_s": 420.0, "more": True}
    assert (known["usage"]["money"], known["fit"]["p95_mib"], known["fit"]["advised_mib"]) == (12.4, 212, 512)
    assert (unknown["usage"], unknown["fit"], unknown["remaining"]) == (None, None, None)
    assert (unknown["p50_s"], unknown["peak_bytes"], unknown["forecast"]) == (None, None, None)


def test_an_unknown_order_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ConfigError, match="beauty is no order of groups"):
        show(as_json=True, sort="beauty")
