"""Attributes of pickled functions are read off their pickles: those of what is called, whatever else is in there."""

from __future__ import annotations

import contextlib
import functools
import math
import pickle
from collections.abc import Callable
from typing import Any

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pickles.own_attributes import UnreadablePickle, read_own_attribute

NAME = "__scaler_batch__"
WISH = {"memory": 9000, "vcpus": 4, "gpu": 1, "timeout_minutes": 0.5}


def by_value(x: object = 0) -> object:
    return x


by_value.__module__ = "__main__"


def wishing(function: Callable[..., Any], *arguments: object, wish: object = WISH) -> functools.partial[Any]:
    made = functools.partial(function, *arguments)
    vars(made)[NAME] = wish
    return made


def read(thing: object, protocol: int = pickle.HIGHEST_PROTOCOL) -> object:
    return read_own_attribute(cloudpickle.dumps(thing, protocol=protocol), NAME)


@pytest.mark.parametrize("protocol", range(1, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [by_value, math.hypot], ids=["by value", "by reference"])
def test_a_partial_shows_it(function: Callable[..., Any], protocol: int) -> None:
    assert read(wishing(function, [1, {2: b"3"}, "4", None, {5}]), protocol) == WISH


def test_a_function_that_travels_by_value_shows_it() -> None:
    def function() -> None: ...

    vars(function)[NAME] = WISH
    assert read(function) == WISH


def test_of_a_partial_of_a_partial_the_outer_one_wins() -> None:
    assert read(wishing(wishing(by_value, 1), 2, wish={"vcpus": 1})) == {"vcpus": 1}


def test_a_partial_without_one_shows_that_of_what_it_calls() -> None:
    assert read(functools.partial(wishing(by_value), 1)) == WISH


def test_a_dict_that_the_pickle_holds_once_for_several_uses_is_found() -> None:
    assert read(wishing(by_value, WISH)) == WISH


def test_a_function_that_another_one_refers_to_counts_for_nothing() -> None:
    larger = wishing(by_value)

    def caller() -> object:
        return larger

    assert read(caller) is None


def test_arguments_of_that_name_count_for_nothing() -> None:
    assert read(functools.partial(by_value, {NAME: WISH})) is None


def test_a_pickle_that_is_too_long_to_follow_is_told() -> None:
    with pytest.raises(UnreadablePickle, match="too long"):
        read(wishing(by_value, list(range(60_000))))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_foreign_bytes_are_no_attribute_or_unreadable(before: bytes, after: bytes) -> None:
    with contextlib.suppress(UnreadablePickle):
        read_own_attribute(before + NAME.encode() + after, NAME)


@given(st.data())
def test_a_damaged_pickle_reads_as_something_or_is_unreadable(data: st.DataObject) -> None:
    whole = bytearray(cloudpickle.dumps(wishing(math.hypot)))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=3)):
        whole[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UnreadablePickle):
        read_own_attribute(bytes(whole), NAME)
