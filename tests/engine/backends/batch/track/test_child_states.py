"""Children's states always add up to what Batch counts, whatever else is known of them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.aws.batch_states import BatchState
from engine.backends.batch.track.child_states import child_states

STATES = st.sampled_from(BatchState)
RUNNING, RUNNABLE, SUCCEEDED, STARTING = (
    BatchState.RUNNING,
    BatchState.RUNNABLE,
    BatchState.SUCCEEDED,
    BatchState.STARTING,
)


@given(st.data(), st.lists(STATES, min_size=2, max_size=60))
def test_the_counts_are_those_of_the_summary(data: st.DataObject, truth: list[BatchState]) -> None:
    indexes = st.integers(0, len(truth) - 1)
    ended = data.draw(st.sets(indexes))
    listed = data.draw(st.dictionaries(indexes, STATES))
    assert Counter(child_states(len(truth), Counter(truth), ended, listed)) == Counter(truth)


@given(st.data(), st.lists(STATES, min_size=2, max_size=60))
def test_what_is_known_and_true_is_kept(data: st.DataObject, truth: list[BatchState]) -> None:
    known = data.draw(st.sets(st.integers(0, len(truth) - 1)))
    listed = {index: truth[index] for index in known}
    states = child_states(len(truth), Counter(truth), (), listed)
    assert all(states[index] is truth[index] for index in known)


@given(st.lists(STATES, min_size=2, max_size=60), st.integers(0, 70))
def test_a_summary_that_lags_behind_still_gives_every_child_a_state(truth: list[BatchState], size: int) -> None:
    assert len(child_states(size, Counter(truth), (), {})) == size


def test_the_rest_is_filled_in_the_order_in_which_batch_starts_children() -> None:
    summary = {RUNNABLE: 2, RUNNING: 2, SUCCEEDED: 1, STARTING: 1}
    assert child_states(6, summary, (), {}) == [SUCCEEDED, RUNNING, RUNNING, STARTING, RUNNABLE, RUNNABLE]


def test_a_child_whose_result_is_there_is_over_or_about_to_be() -> None:
    assert child_states(3, {SUCCEEDED: 1, RUNNING: 1, RUNNABLE: 1}, {1, 2}, {}) == [RUNNABLE, SUCCEEDED, RUNNING]
