"""Reports of the doctor's findings and of a diagnosis, for people and for programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from engine.diagnosis.model import CheckResult, CheckStatus, Diagnosis, Remedy
from provisioner.commands.printing import console
from provisioner.doctor.finding import Finding

SIGNS: Final = {
    CheckStatus.PASS: ("✓", "green"),
    CheckStatus.WARN: ("!", "yellow"),
    CheckStatus.FAIL: ("✗", "bold red"),
    CheckStatus.UNKNOWN: ("?", "magenta"),
    CheckStatus.NOT_RUN: ("–", "dim"),
}
WORDS: Final = {CheckStatus.FAIL: "FAIL"}


def findings_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """JSON of all findings; `ok` is what the exit code says."""
    checks = [
        {**msgspec.to_builtins(one.check), "remedies": [msgspec.to_builtins(fix) for fix in one.fixes]}
        for one in findings
    ]
    return {"checks": checks, "ok": not any(one.failed for one in findings)}


def diagnosis_document(diagnosis: Diagnosis) -> dict[str, Any]:
    """JSON of a diagnosis."""
    document: dict[str, Any] = msgspec.to_builtins(diagnosis)
    return document


def print_findings(findings: Sequence[Finding], clock: Callable[[], float] = time.time) -> None:
    """Print a table of the checks, and below it the fixes of each that isn't well."""
    out = console()
    _print_checks(out, [one.check for one in findings], clock())
    for one in findings:
        if one.fixes and one.check.result is not CheckStatus.PASS:
            out.print(f"\n{one.check.name}:", style="bold", markup=False)
            _print_remedies(out, one.fixes)
    failed = sum(one.failed for one in findings)
    out.print(f"\n{failed} of {len(findings)} checks failed." if failed else "\nNo check failed.", style="bold")


def print_diagnosis(diagnosis: Diagnosis) -> None:
    """Print verdict, checks and remedies."""
    out = console()
    _print_line(out, diagnosis.subject)
    _print_line(out, f"{diagnosis.verdict} ({diagnosis.certainty})", style="bold")
    _print_line(out, diagnosis.text)
    if diagnosis.reason:
        _print_line(out, f"statusReason: {diagnosis.reason}")
    out.print()
    _print_checks(out, diagnosis.checks, diagnosis.at)
    if diagnosis.remedies:
        out.print("\nWhat can be done:", style="bold")
        _print_remedies(out, diagnosis.remedies)


def _print_checks(out: Console, checks: Sequence[CheckResult], now: float) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in ("CHECK", "RESULT", "EVIDENCE"):
        table.add_column(name, overflow="fold")
    for check in checks:
        sign, style = SIGNS[check.result]
        word = WORDS.get(check.result, check.result.value)
        table.add_row(f"[{style}]{sign}[/]", check.name, f"[{style}]{word}[/]", escape(_evidence(check, now)))
    out.print(table)


def _evidence(check: CheckResult, now: float) -> str:
    age = now - check.read_at
    return f"{check.evidence} ({age:.0f} s ago)" if check.read_at and age >= 10 else check.evidence


def _print_remedies(out: Console, remedies: Sequence[Remedy]) -> None:
    for number, remedy in enumerate(remedies, start=1):
        _print_line(out, f"  {number} {remedy.text}")
        if remedy.command:
            _print_line(out, f"    {remedy.command}", style="dim")


def _print_line(out: Console, line: str, style: str = "") -> None:
    """Never wrapped by us: commands must stay copyable."""
    out.print(line, style=style, markup=False, soft_wrap=True)
