"""Each fault's string, and what is said about one that is none."""

from __future__ import annotations

import pytest

from provisioner.local.faults.faults import (
    KINDS,
    Ambiguous,
    ExpiredCredentials,
    Fault,
    FaultSyntaxError,
    KillAfter,
    LateResult,
    OutOfMemory,
    ServerError,
    Slow,
    Spot,
    Throttle,
    parse_fault,
)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("throttle:SubmitJob:2/s", Throttle(api="SubmitJob", rate=2)),
        ("throttle:*:0/s:8s", Throttle(seconds=8)),
        ("error:s3:503:30s", ServerError(api="s3", status=503, seconds=30)),
        ("ambiguous:SubmitJob:x1", Ambiguous(api="SubmitJob", count=1)),
        ("ambiguous:SubmitJob:500", Ambiguous(api="SubmitJob", status=500)),
        ("expired-credentials:30s", ExpiredCredentials(seconds=30)),
        ("slow:s3:1.5s:30s", Slow(api="s3", delay=1.5, seconds=30)),
        ("spot:0.1", Spot(probability=0.1)),
        ("kill-after:PutObject:after=3:x1", KillAfter(api="PutObject", after=3, count=1)),
        ("oom:1:x3:match=wm_t*", OutOfMemory(count=3, match="wm_t*")),
        ("late-result:0.5:2s", LateResult(probability=0.5, seconds=2)),
    ],
)
def test_a_faults_string(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize("text", ["nonsense", "spot:2", "spot:x", "error:s3:200", "spot:0.1:0.2", "throttle:a:b"])
def test_a_string_that_is_none_says_what_was_expected(text: str) -> None:
    with pytest.raises(FaultSyntaxError, match=r"must be one of|expected "):
        parse_fault(text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_fault_by_its_name_alone(kind: str) -> None:
    assert type(parse_fault(kind)) is KINDS[kind]
