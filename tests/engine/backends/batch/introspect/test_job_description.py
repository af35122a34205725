"""A described job never shows a payload or a value of the environment."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.aws.batch_jobs import BatchJob
from engine.backends.batch.introspect.job_description import description_of, redacted

PAYLOAD = "b:" + "cGF5bG9hZA" * 20
SECRET = "a-token-of-somebody"


def job(**container: Any) -> dict[str, Any]:
    return {
        "jobId": "job",
        "status": "RUNNING",
        "parameters": {"store": "s3://bucket/p", "submission": "5" * 32, "payload": PAYLOAD, "options": "region=x"},
        "container": {"command": ["--payload", PAYLOAD, "--options", "region=x"], **container},
    }


def test_the_payload_is_hidden_wherever_it_stands_and_the_rest_is_shown() -> None:
    text = json.dumps(redacted(job()))
    assert PAYLOAD not in text
    assert f"({len(PAYLOAD)} characters hidden)" in text
    assert "s3://bucket/p" in text
    assert "region=x" in text


def test_values_of_the_environment_are_hidden_and_its_names_are_shown() -> None:
    variables = [{"name": "TOKEN", "value": SECRET}]
    nested = {"nodeProperties": {"nodeRangeProperties": [{"container": {"environment": variables}}]}}
    shown = json.dumps(redacted({**job(environment=variables), **nested, "eksProperties": {"env": variables}}))
    assert SECRET not in shown
    assert shown.count("TOKEN") == 3


@given(st.text(min_size=8))
def test_no_parameter_that_is_not_the_runners_own_is_shown(value: str) -> None:
    given = {"jobId": "j", "status": "RUNNING", "parameters": {"theirs": value}, "container": {"command": ["x", value]}}
    shown = redacted(given)
    assert shown["parameters"]["theirs"] == shown["container"]["command"][1] == f"({len(value):,} characters hidden)"


def test_what_names_a_bundle_in_s3_is_hidden_wherever_it_stands() -> None:
    text = f"s3:{'a' * 32}"
    shown = redacted({"parameters": {"payload": text}, "container": {"command": ["--payload", text]}})
    assert shown == {"parameters": {"payload": "s3"}, "container": {"command": ["--payload", "(35 characters hidden)"]}}


def test_a_short_parameter_is_hidden_too_and_that_the_payload_lies_in_s3_is_shown() -> None:
    shown = redacted({"parameters": {"password": "hunter2", "payload": "s3"}, "jobName": "hunter2-job"})
    assert shown == {"parameters": {"password": "(7 characters hidden)", "payload": "s3"}, "jobName": "hunter2-job"}


def test_the_attempt_under_way_follows_those_that_ended() -> None:
    lost = {"statusReason": "Host EC2 (i-1) terminated.", "startedAt": 1_000, "stoppedAt": 5_000, "container": {}}
    described = description_of(
        BatchJob.parse({**job(logStreamName="second"), "attempts": [lost], "startedAt": 7_000}), at=9.0
    )
    first, second = described.attempts
    assert (first.started_at, first.stopped_at, first.reason) == (1.0, 5.0, "Host EC2 (i-1) terminated.")
    assert (second.started_at, second.stopped_at, second.log_stream) == (7.0, None, "second")


def test_a_quarter_of_a_vcpu_is_not_told_as_none_at_all() -> None:
    requirements = [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "512"}]
    described = description_of(BatchJob.parse(job(resourceRequirements=requirements)), at=0.0)
    assert (described.vcpus, described.memory_mib) == (None, 512)
