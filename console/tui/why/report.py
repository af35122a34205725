"""Report of a diagnosis to take away: Markdown for a ticket, JSON for a program."""

from __future__ import annotations

import time
from collections.abc import Iterator

import msgspec

from console.foreign_text import clean
from engine.telemetry.schema.messages import CheckResult, Diagnosis


def format_json(diagnosis: Diagnosis) -> str:
    """The diagnosis as indented JSON, with the keys of `doctor --json`."""
    return msgspec.json.format(msgspec.json.encode(diagnosis)).decode() + "\n"


def format_markdown(diagnosis: Diagnosis) -> str:
    """Verdict, checks and remedies as Markdown; times are UTC."""
    return "\n".join(_lines(diagnosis)) + "\n"


def _lines(diagnosis: Diagnosis) -> Iterator[str]:
    yield f"# Why: {_plain(diagnosis.subject)}"
    yield from ("", f"**{_plain(diagnosis.verdict)}** ({_plain(diagnosis.certainty)}), read {_time(diagnosis.at)}")
    yield from ("", _plain(diagnosis.text))
    if diagnosis.reason:
        yield from ("", f"> {_plain(diagnosis.reason)}")
    yield from ("", "## Checks", "", "| check | result | evidence | read from | read at |", "|---|---|---|---|---|")
    yield from map(_row, diagnosis.checks)
    if diagnosis.remedies:
        yield from ("", "## What can be done", "")
    for number, remedy in enumerate(diagnosis.remedies, 1):
        yield f"{number}. {_plain(remedy.text)}"
        if remedy.command:
            yield from ("", "   ```sh", f"   {clean(remedy.command)}", "   ```", "")


def _row(check: CheckResult) -> str:
    read = _time(check.read_at) if check.read_at else "–"
    cells = (check.name, check.result.value, check.evidence, check.source)
    return f"| {' | '.join(_cell(text) for text in cells)} | {read} |"


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """Foreign text that begins no HTML."""
    return clean(text).replace("<", "&lt;")


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
