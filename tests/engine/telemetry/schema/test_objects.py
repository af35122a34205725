"""JSON of messages: an unknown is null, never 0 and never an empty text."""

from __future__ import annotations

import pytest

from engine.model import CallStats
from engine.telemetry.schema.messages import JobRecord, JobRow, JobState, RouteStats
from engine.telemetry.schema.objects import record_object, row_object, snapshot_object
from tests.support.engine.telemetry_samples import row, snapshot


@pytest.mark.parametrize("field", ["attempt", "raw_bytes", "wire_bytes", "duration_s", "exit_code"])
def test_what_nobody_knows_of_a_row_is_null(field: str) -> None:
    assert row_object(row(1))[field] is None


def test_what_is_known_of_a_row_keeps_its_name_and_value() -> None:
    known = row_object(row(1, JobState.FAILED, attempt=2, raw_bytes=7, retries=1, cause="exit code 7", array_size=0))
    assert list(known) == list(JobRow.__struct_fields__)
    told = {name: known[name] for name in ("state", "attempt", "raw_bytes", "retries", "cause", "array_size")}
    assert told == {
        "state": "FAILED",
        "attempt": 2,
        "raw_bytes": 7,
        "retries": 1,
        "cause": "exit code 7",
        "array_size": 0,
    }


def test_a_record_holds_its_row_as_an_object() -> None:
    known = record_object(JobRecord(row(1, attempt=1)))
    assert (known["row"]["attempt"], known["attempts_allowed"], known["peak_bytes"]) == (1, None, None)


def test_percentiles_of_nothing_are_null() -> None:
    routes = (RouteStats("inline"), RouteStats("s3", 2, 2, 10, 10, 4, 6))
    calls = (CallStats("SubmitJob", calls=3), CallStats("ListJobs", calls=1, p50_ms=2.5, p99_ms=3.0))
    [view] = snapshot_object(snapshot(routes=routes, calls=calls))["managers"]
    assert [(one["p50_bytes"], one["p95_bytes"]) for one in view["routes"]] == [(None, None), (4, 6)]
    assert [(one["p50_ms"], one["p99_ms"]) for one in view["calls"]] == [(None, None), (2.5, 3.0)]
