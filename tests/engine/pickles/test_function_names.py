"""Function names read out of pickles that are never unpickled."""

from __future__ import annotations

import json
import pickle
import tracemalloc
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


def test_a_function_is_named_out_of_a_view_without_a_copy_of_the_large_values_that_it_holds() -> None:
    large = bytes(8 << 20)

    def price_book(x: int) -> int:
        return x + len(large)

    pickled = memoryview(cloudpickle.dumps(price_book, protocol=pickle.HIGHEST_PROTOCOL))
    tracemalloc.start()
    try:
        assert read_function_name(pickled) == "price_book"
        assert tracemalloc.get_traced_memory()[1] < len(large) // 8
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("pickled", [b"", b"\x80", b"not a pickle", pickle.dumps([1, 2, 3])])
def test_what_shows_no_name_reads_as_a_question_mark(pickled: bytes) -> None:
    assert read_function_name(pickled) == UNKNOWN


@given(st.binary(max_size=200))
def test_hostile_bytes_never_raise(pickled: bytes) -> None:
    assert read_function_name(pickled).isprintable()
    assert read_function_name(memoryview(pickled)) == read_function_name(pickled)


def test_a_long_text_of_python_2_in_a_view_never_raises() -> None:
    assert read_function_name(memoryview(b"T" + (100_000).to_bytes(4, "little") + bytes(100_000) + b".")) == UNKNOWN
