"""What a task printed becomes text for its client's terminal: whole, or the end of it with what is left out said."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from container.batch_job_results import ResultMeta, ResultStatus
from engine.backends.batch.track.printed import printed_of
from engine.model import Printed

META = ResultMeta("0" * 32, ResultStatus.SUCCESS, "returning", 1, 0.0, 0.0, 0.0, 0, "3.11", 0, None, "test")


def stdout_of(kept: bytes, written: int) -> str:
    text = base64.b64encode(kept).decode()
    printed = printed_of(replace(META, is_output_kept=True, stdout=text, stdout_bytes=written))
    assert printed is not None
    return printed.stdout


def left_out(count: int) -> str:
    return f"[scaler-batch: {count} bytes of the task's output left out here; its job's log has them]\n"


@pytest.mark.parametrize(
    ("kept", "before", "text"),
    [
        (b"", 0, ""),
        (b"one\n\x1b[31mtwo", 0, "one\n\x1b[31mtwo"),
        ("grün\n".encode()[:3] + b"\xff", 0, "gr\ufffd\ufffd"),
        (b"rest of a line\nwhole\n", 10, left_out(25) + "whole\n"),
        ("ü".encode()[1:] + b"no newline", 10, left_out(11) + "no newline"),
    ],
)
def test_text_is_passed_through_and_a_cut_is_said_and_leaves_no_broken_line_or_character(
    kept: bytes, before: int, text: str
) -> None:
    assert stdout_of(kept, before + len(kept)) == text


def test_a_runner_that_kept_nothing_tells_no_output() -> None:
    assert printed_of(META) is None
    assert printed_of(replace(META, is_output_kept=True)) == Printed("", "")
