"""Causes of failures: the words of a row, and the signature that groups what failed alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.causes import LONGEST_SIGNATURE, CauseKind, FailureCause

RAISED = FailureCause(CauseKind.RAISED, "ValueError", "prices.py:12 price", "running")
RECLAIM = FailureCause(CauseKind.HOST_LOST, attempt=2, attempts=3)


@pytest.mark.parametrize(
    ("cause", "words", "signature"),
    [
        (RAISED, "ValueError", "ValueError prices.py:12 price"),
        (replace(RAISED, message="no price"), "ValueError: no price", "ValueError prices.py:12 price"),
        (replace(RAISED, phase="returning", place=""), *["ValueError while returning"] * 2),
        (FailureCause(CauseKind.RAISED), "exception", "exception"),
        (FailureCause(CauseKind.EXIT_CODE, phase="running", number=7), "exit code 7", "exit code 7"),
        (FailureCause(CauseKind.EXIT_CODE, phase="loading", number=7), *["exit code 7 while loading"] * 2),
        (FailureCause(CauseKind.SIGNAL, phase="running", number=11), *["signal 11 (SIGSEGV) while running"] * 2),
        (FailureCause(CauseKind.SIGNAL, number=42), *["signal 42 (real-time)"] * 2),
        (FailureCause(CauseKind.OUT_OF_MEMORY, memory_mib=4096), "out of memory: 4,096 MiB", "out of memory"),
        (FailureCause(CauseKind.OUT_OF_MEMORY), "out of memory", "out of memory"),
        (FailureCause(CauseKind.TIMED_OUT, seconds=60), "timed out after 60 s", "timed out"),
        (RECLAIM, "Spot reclaim, attempt 2 of 3", "Spot reclaim"),
        (replace(RECLAIM, attempts=0), "Spot reclaim, attempt 2", "Spot reclaim"),
        (
            FailureCause(CauseKind.NOT_STARTED, "CannotPullContainerError"),
            *["container not started: CannotPullContainerError"] * 2,
        ),
        (FailureCause(CauseKind.UNLOADABLE), *["can't be loaded in the image"] * 2),
        (FailureCause(CauseKind.VANISHED), *["unknown to AWS Batch"] * 2),
    ],
)
def test_a_cause_is_told_with_its_figures_and_grouped_without(cause: FailureCause, words: str, signature: str) -> None:
    assert (cause.describe(), cause.signature) == (words, signature)


def test_a_signature_is_bounded() -> None:
    assert len(FailureCause(CauseKind.RAISED, "E" * 80, "p" * 200).signature) == LONGEST_SIGNATURE
