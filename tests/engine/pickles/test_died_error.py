"""A dead process's error reaches the client under Scaler's name for it."""

from __future__ import annotations

import pickle

import pytest
from scaler.utility.exceptions import ProcessorDiedError

from engine.pickles.died_error import as_processor_died


@pytest.mark.parametrize("text", ["it died", "x" * 200_000], ids=["short", "several frames"])
def test_a_runners_error_becomes_scalers_with_text_and_notes(text: str) -> None:
    error = RuntimeError(text)
    error.__dict__["__notes__"] = ["the last lines"]
    told = pickle.loads(as_processor_died(pickle.dumps(error, protocol=4)))
    assert type(told) is ProcessorDiedError
    assert (str(told), told.__dict__["__notes__"]) == (text, ["the last lines"])


@pytest.mark.parametrize(
    "body",
    [b"", b"\x80\x04\x95", pickle.dumps(MemoryError("m"), protocol=4), pickle.dumps(RuntimeError("r"), protocol=2)],
)
def test_what_is_no_such_error_stays_as_it_is(body: bytes) -> None:
    assert as_processor_died(body) == body
