"""Class of a pickled exception, read without unpickling it."""

from __future__ import annotations

import pickle

import cloudpickle
import pytest

from engine.pickles.error_names import read_error_name


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_the_class_is_named_and_nothing_of_the_text(protocol: int) -> None:
    assert read_error_name(pickle.dumps(ZeroDivisionError("secret"), protocol)) == "ZeroDivisionError"


def test_a_class_that_travels_by_value_is_no_reason_to_fail() -> None:
    class Own(Exception):
        pass

    assert len(read_error_name(cloudpickle.dumps(Own("x")))) <= 80


@pytest.mark.parametrize("body", [b"", b"garbage", b"\x80\x05", pickle.dumps(5)])
def test_what_is_no_exception_has_no_name(body: bytes) -> None:
    assert read_error_name(body) == ""
