"""Ends of array jobs whose children Batch lists late, oddly or never; surprises that are one submission's."""

from __future__ import annotations

from typing import Any

import pytest

from engine.backends.batch.ledger import BatchStage
from engine.backends.batch.track.job_poller import CHILDREN_LISTED_WITHIN_S, MISJUDGED_AFTER_POLLS, SURFACED_WITHIN_S
from tests.support.engine.scripted_batch import FAILED, SUCCEEDED, PolledArray


async def test_failed_and_succeeded_children_without_a_result_are_both_accounted_for_in_one_poll() -> None:
    array = PolledArray(2)
    array.batch.end_parent(FAILED, SUCCEEDED=1, FAILED=1)
    array.batch.list_child(FAILED, 0, 137)
    array.batch.list_child(SUCCEEDED, 1, 0)
    await array.poll()
    assert {index: end.exit_code for index, end in array.failures.ends.items()} == {0: 137, 1: 0}
    assert array.submission.ended


async def test_children_that_are_listed_later_than_their_parents_end_are_waited_for() -> None:
    array = PolledArray(2)
    array.batch.end_parent(FAILED, "one failed")
    await array.poll(3)
    assert not array.submission.ended
    array.batch.list_child(FAILED, 0, 137)
    await array.poll()
    assert (sorted(array.failures.ends), array.submission.ended) == ([0], False)
    array.batch.list_child(FAILED, 1, 1)
    await array.poll()
    assert (sorted(array.failures.ends), array.submission.ended, array.failed) == ([0, 1], True, {})


async def test_children_that_never_are_listed_fail_with_their_parents_reason() -> None:
    array = PolledArray(3)
    array.batch.end_parent(FAILED, "could not start")
    await array.poll(int(CHILDREN_LISTED_WITHIN_S // 5))
    assert (array.failed, array.submission.ended) == ({}, False)
    await array.poll(3)
    assert (sorted(array.failed), array.submission.ended) == ([0, 1, 2], True)
    assert all("could not start" in text and "job id: P" in text for text in array.failed.values())


async def test_unlisted_children_of_a_parent_that_succeeded_must_have_written_a_result() -> None:
    array = PolledArray(2)
    array.batch.end_parent(SUCCEEDED)
    await array.poll(int(CHILDREN_LISTED_WITHIN_S // 5) + 3)
    assert {index: (end.job_id, end.promises_result) for index, end in array.failures.ends.items()} == {
        0: ("P:0", True),
        1: ("P:1", True),
    }
    assert (array.failed, array.submission.ended) == ({}, True)


async def test_a_result_that_comes_late_accounts_for_a_child_that_no_listing_shows() -> None:
    array = PolledArray(2)
    array.batch.end_parent(FAILED)
    array.batch.list_child(FAILED, 0, 137)
    await array.poll()
    assert not array.submission.ended
    array.find_result(1)
    await array.poll()
    assert (array.submission.ended, array.failed) == (True, {})


async def test_an_end_with_every_child_accounted_for_costs_no_listing() -> None:
    array = PolledArray(2)
    for index in range(2):
        array.find_result(index)
    array.batch.end_parent(SUCCEEDED, SUCCEEDED=2)
    await array.poll()
    assert (array.submission.ended, array.batch.listings) == (True, [])


async def test_a_description_that_lags_behind_the_listing_takes_no_end_away() -> None:
    array = PolledArray(2)
    array.batch.end_parent(FAILED)
    array.batch.list_child(FAILED, 0, 137)
    array.batch.list_child(FAILED, 1, 137)
    array.batch.jobs["P:0"] = {"jobId": "P:0", "status": "RUNNING"}
    await array.poll()
    assert [array.failures.ends[index].status for index in range(2)] == [FAILED, FAILED]


async def test_an_orphan_claimed_after_its_arrays_end_is_looked_for_as_long_as_any_other() -> None:
    array = PolledArray(2)
    task = array.submission.tasks[1]
    array.find_result(0)
    task.stage = BatchStage.ORPHANED
    array.batch.end_parent(FAILED, "host lost")
    await array.poll(20)
    assert array.submission.ended
    array.ledger.claim(task)
    array.ledger.open_claimed()
    await array.poll()
    assert (array.submission.ended, array.failed) == (False, {})
    await array.poll(14)
    assert (array.submission.ended, list(array.failed)) == (True, [1])


@pytest.mark.parametrize("index", [2, 10_000, -1, "1", None, 0.5])
async def test_a_child_of_an_index_that_the_array_does_not_have_is_passed_over(index: Any) -> None:
    array = PolledArray(2)
    array.batch.end_parent(FAILED)
    array.batch.list_child(FAILED, index, 137)
    array.batch.list_child(FAILED, 0, 1)
    array.batch.list_child(SUCCEEDED, 1, 0)
    await array.poll()
    assert (sorted(array.failures.ends), array.submission.ended) == ([0, 1], True)


# ---- surprises


@pytest.mark.parametrize(
    "odd",
    [
        {"jobId": "P", "status": "HIBERNATING"},
        {"jobId": "P"},
        {"jobId": "P", "status": ["RUNNING"]},
        {"status": "FAILED"},
        "no document at all",
    ],
)
async def test_a_job_in_a_state_that_batch_did_not_have_stays_as_it_was(odd: Any) -> None:
    array = PolledArray(2)
    array.batch.jobs["P"] = odd
    await array.poll(20)
    assert (array.open_indexes, array.submission.ended, array.failures.vanished) == ([0, 1], False, [])
    array.batch.end_parent(FAILED)
    array.batch.list_child(FAILED, 0, 1)
    array.batch.list_child(FAILED, 1, 1)
    await array.poll()
    assert sorted(array.failures.ends) == [0, 1]


async def test_an_odd_part_of_a_document_does_not_hide_the_rest() -> None:
    array = PolledArray(2)
    array.batch.jobs["P"] = {
        "jobId": "P",
        "status": "PENDING",
        "statusReason": 7,
        "container": "none",
        "attempts": [None, {"container": []}],
        "createdAt": "yesterday",
        "arrayProperties": {"statusSummary": {"HIBERNATING": 1, "RUNNING": 1, "FAILED": "many"}},
    }
    await array.poll()
    assert (array.submission.started, sum(array.submission.summary.values())) == (True, 1)


async def test_a_task_whose_handling_breaks_holds_up_no_other_of_its_array(caplog: pytest.LogCaptureFixture) -> None:
    array = PolledArray(3)
    array.failures.broken = {1}
    array.batch.end_parent(FAILED)
    for index in range(3):
        array.batch.list_child(FAILED, index, 137)
    await array.poll()
    assert sorted(array.failures.ends) == [0, 2]
    assert "task 1 can't be judged" in caplog.text
    array.failures.broken.clear()
    await array.poll()
    assert (sorted(array.failures.ends), array.submission.ended) == ([0, 1, 2], True)


async def test_what_can_not_be_judged_again_and_again_fails() -> None:
    array = PolledArray(3)
    array.failures.broken = {1}
    array.batch.end_parent(FAILED)
    for index in range(3):
        array.batch.list_child(FAILED, index, 137)
    await array.poll(MISJUDGED_AFTER_POLLS - 1)
    assert array.open_indexes == [1]
    await array.poll()
    assert (list(array.failed), array.submission.ended) == ([1], True)
    assert "RuntimeError" in array.failed[1]


async def test_what_waits_is_told_in_the_log_with_aws_reason_once_and_not_at_each_poll(
    caplog: pytest.LogCaptureFixture,
) -> None:
    array = PolledArray(2)
    reason = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - no host"
    array.batch.jobs["P"] = {"jobId": "P", "status": "PENDING", "arrayProperties": {"statusSummary": {"RUNNABLE": 2}}}
    array.batch.jobs["P:0"] = {"jobId": "P:0", "status": "RUNNABLE", "statusReason": reason}
    await array.poll(20)
    told = [record.getMessage() for record in caplog.records if "RUNNABLE" in record.getMessage()]
    assert len(told) == 1
    assert "2 jobs wait" in told[0]
    assert reason in told[0]


async def test_a_job_that_vanished_and_was_fenced_is_looked_for_while_it_may_come_to_light() -> None:
    array = PolledArray(2)
    array.submission.fenced = True  # as handling a vanished job does that is sent again
    await array.poll(int(SURFACED_WITHIN_S // 5))
    assert (len(array.failures.vanished), array.submission.ended) == (1, False)
    await array.poll(2)
    assert (len(array.failures.vanished), array.submission.ended) == (1, True)


async def test_a_vanished_job_that_is_back_is_followed_to_its_end() -> None:
    array = PolledArray(2)
    array.submission.fenced = True
    await array.poll(10)
    array.batch.end_parent(SUCCEEDED, SUCCEEDED=2)
    for index in range(2):
        array.batch.list_child(SUCCEEDED, index, 0)
    await array.poll()
    assert array.submission.ended
