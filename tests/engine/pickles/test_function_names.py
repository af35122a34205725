"""Function names read out of pickles that are never unpickled."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable

import cloudpickle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pickles.function_names import UNKNOWN, read_function_name


def make_nested() -> Callable[[int], int]:
    def price_leg(x: int) -> int:
        return x

    return price_leg


def test_a_function_of_a_module_is_named_with_its_module() -> None:
    assert read_function_name(cloudpickle.dumps(json.dumps, protocol=pickle.HIGHEST_PROTOCOL)) == "json.dumps"


def test_a_function_that_travels_by_value_is_named() -> None:
    assert read_function_name(cloudpickle.dumps(make_nested(), protocol=pickle.HIGHEST_PROTOCOL)) == "price_leg"


def test_a_name_that_the_pickle_holds_once_for_several_uses_is_found() -> None:
    def f(x: int) -> int:
        return x

    def twice(twice: int) -> int:
        return 2 * twice

    dumped = [cloudpickle.dumps(each, protocol=pickle.HIGHEST_PROTOCOL) for each in (f, twice)]
    assert list(map(read_function_name, dumped)) == ["f", "twice"]


def test_a_lambda_is_called_lambda() -> None:
    assert read_function_name(cloudpickle.dumps(lambda x: x, protocol=pickle.HIGHEST_PROTOCOL)) == "<lambda>"


@pytest.mark.parametrize("pickled", [b"", b"\x80", b"not a pickle", pickle.dumps([1, 2, 3])])
def test_what_shows_no_name_reads_as_a_question_mark(pickled: bytes) -> None:
    assert read_function_name(pickled) == UNKNOWN


@given(st.binary(max_size=200))
def test_hostile_bytes_never_raise(pickled: bytes) -> None:
    assert read_function_name(pickled).isprintable()
