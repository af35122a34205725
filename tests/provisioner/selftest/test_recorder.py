"""Recorded answers: in the form of `tests/recorded/`, without names, ids, secrets and payloads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from provisioner.selftest.recorder import AnswerRecorder, caller_names, write_recorded

QUEUE = {"jobQueueName": "acme-queue", "jobQueueArn": "arn:aws:batch:us-east-1:999988887777:job-queue/acme-queue"}
NAMES = {"999988887777": "123456789012", "acme": "team"}


def told(folder: Path, operation: str, request: dict[str, Any], answer: dict[str, Any], service: str = "batch") -> None:
    recorder = AnswerRecorder(folder)
    recorder.emit("API_CALL", {"service": service, "operation": operation, "params": request}, "BOTOCORE")
    recorder.emit("PARSED_RESPONSE", answer, "BOTOCORE")


def recorded(tmp_path: Path) -> dict[str, Any]:
    """All files that are written of what was told."""
    write_recorded(tmp_path, tmp_path / "out", NAMES, "a run")
    return {
        path.relative_to(tmp_path / "out").as_posix(): json.loads(path.read_text()) for path in tmp_path.rglob("*.json")
    }


def test_an_answer_is_kept_with_its_request_and_its_names_replaced(tmp_path: Path) -> None:
    told(tmp_path, "DescribeJobQueues", {"jobQueues": ["acme-queue"]}, {"jobQueues": [QUEUE]})
    answer = {
        "jobQueueName": "team-queue",
        "jobQueueArn": "arn:aws:batch:us-east-1:123456789012:job-queue/team-queue",
    }
    exchange = {"request": {"jobQueues": ["team-queue"]}, "answer": {"jobQueues": [answer]}}
    assert recorded(tmp_path) == {"batch/DescribeJobQueues.json": {"sources": ["a run"], "exchanges": [exchange]}}


def test_the_same_exchange_is_kept_once_and_an_error_as_one(tmp_path: Path) -> None:
    refused = {"Error": {"Code": "ClientException", "Message": "acme is gone"}, "ResponseMetadata": {"RequestId": "1"}}
    for _ in range(3):
        told(tmp_path, "ListJobs", {"jobQueue": "acme"}, refused)
    [exchange] = recorded(tmp_path)["batch/ListJobs.json"]["exchanges"]
    assert exchange == {
        "request": {"jobQueue": "team"},
        "error": {"Code": "ClientException", "Message": "team is gone"},
    }


@pytest.mark.parametrize(
    ("service", "operation", "request_", "answer"),
    [
        ("sts", "AssumeRole", {"RoleArn": "r"}, {"Credentials": {"SecretAccessKey": "hidden"}}),
        ("s3", "PutObject", {"Key": "lease", "Body": b"hidden"}, {}),
        ("s3", "GetObject", {"Key": "lease"}, {"Body": "hidden"}),
        ("batch", "SubmitJob", {"parameters": {"payload": "hidden"}}, {"jobId": "1"}),
        ("batch", "DescribeJobs", {}, {"jobs": [{"container": {"environment": [{"value": "hidden"}]}}]}),
        ("iam", "GetUser", {}, {"User": {"UserId": "AIDAHIDDENHIDDEN7", "vpc": "vpc-0a1b2c3d4e5f60718"}}),
    ],
)
def test_no_secret_payload_or_id_is_kept(
    tmp_path: Path, service: str, operation: str, request_: dict[str, Any], answer: dict[str, Any]
) -> None:
    told(tmp_path, operation, request_, answer, service)
    text = json.dumps(recorded(tmp_path))
    assert [word for word in ("hidden", "HIDDENHIDDEN", "0a1b2c3d4e5f60718") if word in text] == []


def test_a_time_is_text_and_an_id_becomes_the_same_other_one_everywhere(tmp_path: Path) -> None:
    told(
        tmp_path,
        "DescribeVpcs",
        {"VpcIds": ["vpc-0a1b2c3d"]},
        {"at": datetime(2026, 1, 2, tzinfo=UTC), "x": "vpc-0a1b2c3d"},
    )
    [exchange] = recorded(tmp_path)["batch/DescribeVpcs.json"]["exchanges"]
    assert exchange["answer"]["at"] == "2026-01-02T00:00:00+00:00"
    assert exchange["request"]["VpcIds"] == [exchange["answer"]["x"]]


@pytest.mark.parametrize(
    ("arn", "user_id"),
    [
        ("arn:aws:iam::999988887777:user/alice", "AIDAHIDDENHIDDEN7"),
        ("arn:aws:sts::999988887777:assumed-role/Admins/alice@acme.example", "AROAHIDDENHIDDEN7:alice@acme.example"),
        ("arn:aws:iam::999988887777:root", "999988887777"),
    ],
)
def test_who_calls_is_not_told(tmp_path: Path, arn: str, user_id: str) -> None:
    told(tmp_path, "GetCallerIdentity", {}, {"UserId": user_id, "Account": "999988887777", "Arn": arn}, "sts")
    write_recorded(tmp_path, tmp_path / "out", {**NAMES, **caller_names(arn)}, "a run")
    text = (tmp_path / "out" / "sts" / "GetCallerIdentity.json").read_text()
    assert [word for word in ("alice", "Admins", "99998888", "HIDDEN") if word in text] == []
    assert "arn:aws:" in text
