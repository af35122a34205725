"""Names of functions: known from the first task on that was read, for what waits as well as for what comes."""

from __future__ import annotations

import cloudpickle
import pytest

from engine.messages import TaskArrived
from engine.model import ResourceShape
from engine.tasks.known_functions import KnownFunctions
from engine.tasks.task_record import TaskRecord
from tests.support.engine.task_manager_bench import Bench, settle, task, task_id


def price(x: float) -> float:
    return x


def hedge(x: float) -> float:
    return x


PRICE_NAME, HEDGE_NAME = (f"{__name__}.{name}" for name in ("price", "hedge"))
PRICE, HEDGE = (cloudpickle.dumps(function) for function in (price, hedge))


def record(number: int, function: int = 1) -> TaskRecord:
    task = TaskArrived(bytes([number]) * 16, b"Client|quant", bytes(32), bytes([function]) * 32, ())
    return TaskRecord(task, ResourceShape())


@pytest.fixture
def known() -> KnownFunctions:
    return KnownFunctions(kept=1)


def test_those_that_wait_get_their_name_with_the_first_that_is_read(known: KnownFunctions) -> None:
    first, waits, other = record(1), record(2), record(3, function=2)
    for each in (first, waits, other):
        known.meet(each)
    named = known.learn(first, PRICE)
    assert list(named) == [waits]
    assert (first.function_name, waits.function_name, other.function_name) == (PRICE_NAME, PRICE_NAME, "?")


def test_one_that_comes_later_has_its_name_at_once(known: KnownFunctions) -> None:
    known.learn(record(1), PRICE)
    later = record(2)
    known.meet(later)
    assert later.function_name == PRICE_NAME


def test_the_oldest_names_are_forgotten(known: KnownFunctions) -> None:
    known.learn(record(1), PRICE)
    known.learn(record(2, function=2), HEDGE)
    first, second = record(3), record(4, function=2)
    for each in (first, second):
        known.meet(each)
    assert (first.function_name, second.function_name) == ("?", HEDGE_NAME)


def test_a_task_that_is_gone_is_named_no_more(known: KnownFunctions) -> None:
    gone = record(1)
    known.meet(gone)
    known.forget(gone)
    assert list(known.learn(record(2), PRICE)) == []


async def test_a_queued_task_of_a_known_function_shows_its_name() -> None:
    bench = Bench(slots=1)
    bench.shelf.objects[b"f" * 32] = PRICE
    await bench.arrive("a", "b")
    rows = [bench.registry.row(task_id(name).hex()) for name in "ab"]
    assert [(row.state, row.function) for row in rows if row] == [("QUEUED", PRICE_NAME), ("QUEUED", PRICE_NAME)]
    assert bench.backend.names == ["a"]


async def test_a_row_that_got_its_functions_name_is_published_again() -> None:
    bench = Bench(slots=1)
    bench.shelf.objects[b"f" * 32] = PRICE
    bench.tasks.on_task(task("a"))
    bench.tasks.on_task(task("b"))
    bench.registry.take_changes()
    await settle()
    changed, _ = bench.registry.take_changes()
    assert {row.task_id: row.function for row in changed} == {task_id(name).hex(): PRICE_NAME for name in "ab"}
