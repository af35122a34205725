"""Wishes of functions: what is understood, what is refused in words, and which of wish and capability counts."""

from __future__ import annotations

import functools
import math
import pickle
from collections.abc import Mapping
from dataclasses import fields

import cloudpickle
import pytest

from engine.messages import TaskArrived
from engine.model import ResourceShape
from engine.tasks.task_record import requested_shape
from engine.tasks.wishes import ATTRIBUTE, NO_WISH, BrokenWish, Wish, parse_wish, read_wish
from tests.support.engine.task_manager_bench import Bench, settle, task, task_id

SMALL = {"vcpus": 2, "memory": 3000}


def wishing(wish: object) -> bytes:
    function = functools.partial(math.hypot)
    vars(function)[ATTRIBUTE] = wish
    dumped: bytes = cloudpickle.dumps(function)
    return dumped


def shape(wish: Wish, capabilities: Mapping[str, int]) -> ResourceShape:
    return requested_shape(TaskArrived(bytes(16), b"c", bytes(32), bytes(32), (), 0, capabilities), wish)


def test_every_key_is_read() -> None:
    given: dict[str, int | float] = {"memory": 9000, "vcpus": 4, "gpu": 1, "timeout_minutes": 10.5, "memory_retries": 2}
    assert given.keys() == {field.name for field in fields(Wish)}
    assert read_wish(wishing(given)) == Wish(9000, 4, 1, 10.5, 2)


def test_a_wish_for_no_retry_counts_against_a_table_that_retries() -> None:
    assert shape(parse_wish({"memory_retries": 0}), {}).memory_retries == 0


@pytest.mark.parametrize("given", [{}, {"gpu": 0}, {"memory": None}])
def test_what_asks_for_nothing_is_no_wish(given: object) -> None:
    assert parse_wish(given) == NO_WISH


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("9 GB", "must be a dict"),
        ({"cpus": 2}, "unknown key, cpus: it may have memory, vcpus"),
        ({1: 2}, "unknown key, int"),
        ({"memory": "9 GB"}, "memory in .* must be MiB, a whole number above 0, not 9 GB"),
        ({"vcpus": 1.5}, "vcpus in .* must be a whole number above 0, not 1.5"),
        ({"gpu": True}, "gpu in .* must be a whole number, not"),
        ({"timeout_minutes": 0}, "timeout_minutes in .* must be minutes, a number above 0, not 0"),
        ({"timeout_minutes": math.nan}, "timeout_minutes in .* must be"),
        ({"memory": 10**5000}, "memory in .* must be"),
        ({"memory": [1]}, "not something that is no number"),
    ],
)
def test_what_is_not_understood_is_said_with_its_key(given: object, said: str) -> None:
    with pytest.raises(BrokenWish, match=said):
        read_wish(wishing(given))


def test_a_capability_is_about_one_task_so_it_counts_before_the_wish() -> None:
    asked = shape(Wish(memory=9000, vcpus=4, gpu=1, timeout_minutes=0.1), {"vcpus": 2, "memory": -1})
    assert asked == ResourceShape(vcpus=2, memory_mib=9216, gpus=1, timeout_s=60)


async def test_a_wish_is_the_shape_of_its_task_and_of_those_that_wait() -> None:
    bench = Bench(slots=1)
    bench.shelf.objects[b"f" * 32] = wishing(SMALL)
    await bench.arrive("a", "b")
    records = [bench.registry.record(task_id(name).hex()) for name in "ab"]
    assert [(one.vcpus, one.memory_mib) for one in records if one] == [(2, 3072), (2, 3072)]
    assert [work.shape for work in bench.backend.submitted] == [ResourceShape(vcpus=2, memory_mib=3072)]


async def test_a_broken_wish_fails_each_task_in_words() -> None:
    bench = Bench(slots=2)
    bench.shelf.objects[b"f" * 32] = wishing({"cpus": 2})
    for name in "ab":
        bench.tasks.on_task(task(name))
    await settle()
    errors = [pickle.loads(bench.shelf.objects[told.object_id]) for told in bench.scheduler.results]
    assert len(errors) == 2
    assert all("unknown key, cpus" in str(error) for error in errors)
