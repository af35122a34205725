"""Names are parsed back exactly, and never taken for another manager's."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.batch_job_wire.result_segments import ResultSegment
from engine.backends.batch.names import (
    JobKind,
    ParsedName,
    StoreLayout,
    job_name,
    new_submission_id,
    parse_job_name,
)

manager_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True)
hex_ids = st.binary(min_size=16, max_size=16).map(bytes.hex)
LAYOUT = StoreLayout("bucket", "scaler-tasks", "wm")


@given(manager_ids, st.sampled_from(JobKind), hex_ids)
def test_a_job_name_is_parsed_back_and_fits_batch(manager_id: str, kind: JobKind, hex_id: str) -> None:
    name = job_name(manager_id, kind, hex_id)
    assert parse_job_name(manager_id, name) == ParsedName(kind, hex_id)
    assert len(name) <= 128


@given(manager_ids, manager_ids, st.sampled_from(JobKind), hex_ids)
def test_another_managers_job_is_not_ours(ours: str, theirs: str, kind: JobKind, hex_id: str) -> None:
    if ours != theirs:
        assert parse_job_name(ours, job_name(theirs, kind, hex_id)) is None


def test_a_manager_whose_id_continues_ours_is_another_one() -> None:
    assert parse_job_name("wm", job_name("wm_t", JobKind.SINGLE, "0" * 32)) is None
    assert parse_job_name("wm", job_name("wm", JobKind.SINGLE, "0" * 32) + "0") is None


def test_later_submissions_sort_behind_earlier_ones() -> None:
    ids = [new_submission_id(1_700_000_000 + second, random.getrandbits) for second in range(20)]
    assert ids == sorted(ids)
    assert all(len(one) == 32 for one in ids)


@given(hex_ids, st.binary(min_size=16, max_size=16))
def test_a_results_key_is_parsed_back(submission_id: str, task_id: bytes) -> None:
    assert LAYOUT.parse_result(LAYOUT.result(submission_id, task_id)) == (submission_id, task_id)
    segment = ResultSegment(7, 20, 40).sealed(submission_id, bytes(32))
    assert LAYOUT.parse_result(LAYOUT.segment(submission_id, segment)) == (submission_id, segment)


def test_a_foreign_key_is_no_result() -> None:
    assert LAYOUT.parse_result("scaler-tasks/wm/results/short/name") is None
    assert LAYOUT.parse_result("elsewhere") is None


@pytest.mark.parametrize("name", ["5" * 32, f"{'5' * 32}-{'a' * 32}"])
def test_the_name_of_a_bundle_is_parsed_back(name: str) -> None:
    assert LAYOUT.parse_payload(LAYOUT.payload(name)) == name


@pytest.mark.parametrize("name", ["", "x", "5" * 31, f"{'5' * 32}-", f"{'5' * 32}/results/{'5' * 32}", f"x/{'5' * 32}"])
def test_a_foreign_key_is_no_bundle(name: str) -> None:
    """A job may write below `<any>/results/`, which may lie below payloads."""
    assert LAYOUT.parse_payload(LAYOUT.payload(name)) is None


def test_the_layout_is_the_contract() -> None:
    assert LAYOUT.uri == "s3://bucket/scaler-tasks/wm"
    assert LAYOUT.lease == "scaler-tasks/wm/lease"
    assert LAYOUT.blob("d") == "scaler-tasks/wm/objects/d"
    assert LAYOUT.payload("s") == "scaler-tasks/wm/payloads/s"
    assert LAYOUT.fence("s") == "scaler-tasks/wm/fence/s"
    assert LAYOUT.result("s", bytes(16)) == f"scaler-tasks/wm/results/s/{'0' * 32}"
