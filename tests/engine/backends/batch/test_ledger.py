"""A task's stage changes by `move` alone, along the ledger's table."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from engine.backends.batch.ledger import CLOSED, BatchStage, BatchTask, IllegalStage, Ledger, Submission
from engine.model import ResourceShape
from tests.support.engine.batch_harness import work
from tests.support.paths import ROOT

BATCH: Path = ROOT / "engine" / "backends" / "batch"


def task(stage: BatchStage = BatchStage.COLLECTING) -> BatchTask:
    return BatchTask(b"0" * 16, ResourceShape(), None, stage)


def test_the_road_of_a_task() -> None:
    moved = task()
    for stage in (BatchStage.LAUNCHING, BatchStage.IN_BATCH, BatchStage.FETCHING, BatchStage.DELIVERED):
        moved.move(stage)
    moved.move(BatchStage.FORGOTTEN)
    assert moved.stage is BatchStage.FORGOTTEN


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("stage", BatchStage)
def test_nothing_follows_the_end(closed: BatchStage, stage: BatchStage) -> None:
    with pytest.raises(IllegalStage, match=f"{stage.value} can't follow {closed.value}"):
        task(closed).move(stage)


@pytest.mark.parametrize("stage", [BatchStage.IN_BATCH, BatchStage.DELIVERED, BatchStage.ORPHANED])
def test_a_stage_can_not_be_skipped(stage: BatchStage) -> None:
    with pytest.raises(IllegalStage):
        task().move(stage)


def test_an_outcome_is_given_once() -> None:
    with pytest.raises(IllegalStage):
        task(BatchStage.DELIVERED).move(BatchStage.DELIVERED)


def test_what_is_closed_stays_as_it_was_closed() -> None:
    closed = task(BatchStage.CANCELLED)
    Ledger().close(closed, BatchStage.FORGOTTEN)
    assert closed.stage is BatchStage.CANCELLED


def test_only_the_ledger_assigns_a_stage() -> None:
    assigned = [
        f"{path.name}:{node.lineno}"
        for path in BATCH.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Assign) and any(_is_stage(one) for one in ast.walk(node))
    ]
    assert [place.partition(":")[0] for place in assigned] == ["ledger.py"] * 2, "`move` and `break_off`"


def _is_stage(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "stage" and isinstance(node.ctx, ast.Store)


def test_a_task_that_is_sent_again_keeps_its_place_in_the_submission_before() -> None:
    """Or the end of its old child would be taken for that of another task."""
    ledger = Ledger()
    tasks = [ledger.add_task(work(len, [])) for _ in range(4)]
    first = Submission("a" * 32, "first", tuple(tasks), tasks[0].shape, pack=2)
    ledger.add_submission(first)
    tasks[3].move(BatchStage.IN_BATCH)
    again = Submission("b" * 32, "again", (tasks[3],), tasks[3].shape)
    ledger.add_submission(again)
    assert (first.place_of(tasks[3]), first.child_of(tasks[3])) == (3, 1)
    assert (again.place_of(tasks[3]), again.child_of(tasks[3])) == (0, 0)
    first.silent.add(tasks[3].task_id)
    assert first.unaccounted() == []
    assert first.accounted_children() == set()
