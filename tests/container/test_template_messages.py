"""What is told of the load of a function: by the process that took long for it, and by a template."""

from __future__ import annotations

import importlib
import struct
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def report() -> ModuleType:
    """The module as the runner imports it."""
    return of_the_runner("batch_job_template.load_report")


@pytest.fixture(scope="module")
def process() -> ModuleType:
    """The module as the runner imports it."""
    return of_the_runner("batch_job_template.process")


def of_the_runner(name: str) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "container")
        return importlib.import_module(name)


@given(seconds=st.floats(0, 1e6), generators=st.lists(st.text("0123456789abcdef", min_size=64, max_size=64)))
def test_a_report_is_read_as_it_was_told(report: ModuleType, seconds: float, generators: list[str]) -> None:
    told = report.LoadReport(seconds, tuple(generators))
    assert report.LoadReport.decode(told.encode()) == told


def test_of_many_generators_so_many_are_read_as_are_compared(report: ModuleType) -> None:
    told = report.LoadReport(0.1, ("a",) * (report.MOST + 5))
    assert len(report.LoadReport.decode(told.encode()).generators) == report.MOST


@pytest.mark.parametrize(
    "data", [b"", b"{}", struct.pack("<Q", 3) + b"abc", struct.pack("<Qd", 8, 0.5) + struct.pack("<Q", 1) + b"\xff"]
)
def test_what_is_no_report_is_none(report: ModuleType, data: bytes) -> None:
    assert report.LoadReport.decode(data) is None


def test_an_answer_is_read_as_it_was_told(process: ModuleType) -> None:
    for refusal in (None, *process.LoadRefusal):
        told = process.LoadAnswer(refusal, "ValueError" if refusal else "")
        assert process.LoadAnswer.decode(told.encode()) == told


@pytest.mark.parametrize("data", [b"", b"[null, 1]", struct.pack("<Q", 9), struct.pack("<Q", 4) + b"none" + bytes(8)])
def test_whatever_else_a_template_answers_is_a_load_that_failed(process: ModuleType, data: bytes) -> None:
    assert process.LoadAnswer.decode(data).refusal is process.LoadRefusal.RAISED
