"""Log lines: nothing foreign in them forges a record, reaches a terminal as an escape sequence, or fills the disk."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.logging_setup import FORMAT_VARIABLE, REPEATS, REPEATS_S, configure_logging

HOSTILE = ("\x1b[2J\x1b]0;owned\x07", "x\n2026-01-01T00:00:00Z CRITICAL engine: forged", "z" * 3_000_000, "\u2028\x85")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    for name in ("engine", "scaler"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def logged(path: Path, form: str, text: str, *, as_error: bool) -> str:
    """What the file holds after `text` was logged, as a part of a message or of an exception."""
    configure_logging("INFO", [str(path)], None, {FORMAT_VARIABLE: form})
    logger = logging.getLogger("engine.test")
    if as_error:
        try:
            raise ValueError(text)
        except ValueError:
            logger.exception("it broke")
    else:
        logger.warning("task %s failed", text)
    return path.read_text()


@pytest.mark.parametrize("text", HOSTILE, ids=["escapes", "forged line", "3 MB", "line ends"])
@pytest.mark.parametrize("as_error", [False, True], ids=["message", "traceback"])
@pytest.mark.parametrize("form", ["plain", "json"])
def test_foreign_text_stays_inside_of_its_record(tmp_path: Path, form: str, text: str, as_error: bool) -> None:
    written = logged(tmp_path / "log", form, text, as_error=as_error)
    assert len(written) < 50_000
    records = [line for line in written.split("\n") if line and not line.startswith("  ")]
    assert len(records) == 1
    assert all(line.isprintable() for line in written.split("\n") if line)
    if form == "json":
        assert all(part.isprintable() for part in json.loads(records[0])["message"].split("\n"))


def test_a_plain_message_stays_as_it_is(tmp_path: Path) -> None:
    assert "WARNING engine.test: task 5 failed\n" in logged(tmp_path / "log", "plain", "5", as_error=False)


def from_one_place(logger: logging.Logger, times: int) -> None:
    for number in range(times):
        logger.error(f"received unknown message: {number}")


def test_what_a_library_repeats_is_bounded_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logging("INFO", [str(tmp_path / "log")], None, {})
    from_one_place(logging.getLogger("scaler.io"), 6_000)
    later = time.time() + REPEATS_S
    monkeypatch.setattr(time, "time", lambda: later)
    from_one_place(logging.getLogger("scaler.io"), 1)
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == REPEATS + 1
    assert lines[-1].endswith("received unknown message: 0 (and 5,990 more like it)")


def test_our_own_lines_are_all_logged(tmp_path: Path) -> None:
    configure_logging("INFO", [str(tmp_path / "log")], None, {})
    from_one_place(logging.getLogger("engine.test"), 100)
    assert len((tmp_path / "log").read_text().splitlines()) == 100
