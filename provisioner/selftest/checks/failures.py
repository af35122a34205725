"""Checks of what a client and an operator hear of a function that fails: its exception, and its log."""

from __future__ import annotations

import secrets
from typing import Any

from provisioner.selftest.bench import Bench
from provisioner.selftest.checks.routes import only_job
from provisioner.selftest.model import CheckFailed


def failing_function(bench: Bench) -> str:
    """Run a function that raises: the client gets the original exception, with the last lines that were printed."""
    word = secrets.token_hex(4)
    outcome = _fail(bench, word)
    if (outcome["error"], outcome["text"]) != ("ValueError", word):
        raise CheckFailed(f"The client got {outcome['error']}: {outcome['text']}, expected ValueError: {word}.")
    line = f"line {word}"
    if not any(line in one for one in outcome["notes"]):
        raise CheckFailed(f"No note of the exception has the line that was printed; the notes are {outcome['notes']}.")
    return f"the client got ValueError: {word}, with the line that was printed before"


def log_tail(bench: Bench) -> str:
    """Run a function that prints, and read its job's log from CloudWatch through the worker manager."""
    word = secrets.token_hex(4)
    _fail(bench, word)
    task = only_job(bench)["jobName"].rpartition("_t")[2]
    return _read_line(bench, task, f"line {word}")


def _read_line(bench: Bench, task: str, line: str) -> str:
    """Evidence that the log has the line, which takes some seconds. Raises `CheckFailed` with what was said last."""
    said = [""]

    def look() -> bool:
        try:
            said[0] = bench.say("logs", task, "--all")
        except CheckFailed as failed:
            said[0] = str(failed)
        return line in said[0]

    try:
        bench.wait_for(f"the printed {line} in the job's log", look, bench.patience.job_s)
    except CheckFailed as late:
        raise CheckFailed(f"{late} Said last: {said[0].strip() or 'nothing'}") from None
    return f"CloudWatch has the printed {line}"


def _fail(bench: Bench, word: str) -> dict[str, Any]:
    [outcome] = bench.run("fail", [[word]])
    if "error" not in outcome:
        raise CheckFailed(f"The function that fails gave {outcome}.")
    return outcome
