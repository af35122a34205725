"""Replica of ticks, whatever order they arrive in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.telemetry.client.replica import Replica
from engine.telemetry.schema.messages import FullState, JobRow, JobState, Tick
from tests.support.engine.telemetry_samples import full, row, task_id, tick


def begun(*rows: JobRow, seq: int = 0) -> Replica:
    replica = Replica()
    replica.replace(full(seq, *rows), 0.0)
    replica.take_changed()
    return replica


def test_a_tick_changes_and_removes_rows() -> None:
    replica = begun(row(1), row(2))
    assert replica.apply(tick(1, row(1, JobState.SUCCEEDED), removed=(task_id(2),)), 5.0)
    assert replica.rows == {task_id(1): row(1, JobState.SUCCEEDED)}
    assert replica.take_changed() == {task_id(1), task_id(2)}
    assert replica.received_at == 5.0


def test_old_and_repeated_ticks_are_ignored() -> None:
    replica = begun(row(1), seq=5)
    before = replica.version
    assert not replica.apply(tick(5, row(1, JobState.FAILED)), 1.0)
    assert not replica.apply(tick(3, row(1, JobState.FAILED)), 1.0)
    assert (replica.rows[task_id(1)].state, replica.version) == (JobState.RUNNING, before)


def test_a_gap_is_counted_and_asks_for_everything() -> None:
    replica = begun(row(1))
    replica.apply(tick(4, row(1, JobState.FAILED)), 1.0)
    assert (replica.skipped, replica.complete) == (3, False)


def test_ticks_that_overtook_the_full_state_are_not_lost() -> None:
    replica = begun(row(1))
    replica.apply(tick(4), 1.0)
    replica.apply(tick(5, row(1, JobState.SUCCEEDED)), 1.0)
    replica.replace(full(4, row(1), row(2)), 2.0)
    assert replica.complete
    assert (replica.seq, replica.rows[task_id(1)].state) == (5, JobState.SUCCEEDED)


def test_a_full_state_that_ticks_made_old_changes_nothing() -> None:
    replica = begun(row(1), seq=7)
    replica.replace(full(6), 1.0)
    assert (replica.seq, list(replica.rows)) == (7, [task_id(1)])


def test_another_engine_begins_anew_with_lower_numbers() -> None:
    replica = begun(row(1), seq=90)
    replica.apply(tick(2, engine="e2"), 1.0)
    assert not replica.complete
    replica.replace(full(2, row(3), engine="e2"), 1.0)
    assert (replica.engine, list(replica.rows), replica.skipped) == ("e2", [task_id(3)], 0)


def test_a_paged_snapshot_needs_no_rows() -> None:
    replica = begun(row(1))
    replica.apply(tick(1, paged=True), 1.0)
    assert (replica.complete, replica.rows) == (True, {})
    replica.apply(tick(2, row(1)), 1.0)
    assert not replica.complete, "rows are published again, and most of them are missing"


@given(
    st.lists(st.dictionaries(st.integers(0, 5), st.sampled_from(list(JobState)), max_size=3), min_size=1, max_size=30),
    st.data(),
)
def test_whatever_is_lost_the_replica_ends_like_the_engine(
    changes: list[dict[int, JobState]], data: st.DataObject
) -> None:
    """Ticks get lost, and answers come late: once a full state has caught up nothing is wrong."""
    engine: dict[str, JobRow] = {}
    replica, asked, answer = begun(), False, full(0)
    for seq, change in enumerate(changes, 1):
        rows = [row(number, state) for number, state in change.items()]
        engine.update({each.task_id: each for each in rows})
        message: Tick = tick(seq, *rows)
        if data.draw(st.booleans(), label="arrives"):
            replica.apply(message, 0.0)
        if asked and data.draw(st.booleans(), label="answered"):
            replica.replace(answer, 0.0)
            asked = False
        if not replica.complete and not asked:
            asked, answer = True, full(seq, *engine.values())
    replica.apply(tick(len(changes) + 1), 0.0)
    if not replica.complete:
        replica.replace(FullState("e1", len(changes) + 1, tick(0).snapshot, tuple(engine.values())), 0.0)
    assert replica.rows == engine
