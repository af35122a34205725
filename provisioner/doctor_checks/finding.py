"""One line of the doctor's table, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.diagnosis.model import Check, Remedy, Result


@dataclass(frozen=True, slots=True)
class Finding:
    check: Check
    fixes: tuple[Remedy, ...] = ()

    @property
    def failed(self) -> bool:
        return self.check.result is Result.FAIL


def finding(name: str, result: Result, evidence: str, *fixes: Remedy, source: str = "", at: float = 0.0) -> Finding:
    return Finding(Check(name, result, evidence, source, at), fixes)
