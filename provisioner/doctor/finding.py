"""Finding of the doctor: one line of its table, with what to do about it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckResult, CheckStatus, Remedy
from provisioner.stack.naming import Stack


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check, and its fixes."""

    check: CheckResult
    fixes: tuple[Remedy, ...] = ()

    @property
    def failed(self) -> bool:
        """The doctor's exit code is 1."""
        return self.check.result is CheckStatus.FAIL


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """Check of the doctor's own, by a name that stays and a title for people."""

    id: CheckId
    title: str

    def found(self, result: CheckStatus, evidence: str, *fixes: Remedy, source: str = "", at: float = 0.0) -> Finding:
        """Its finding; `source` is the API that was read, `at` in unix seconds."""
        return Finding(CheckResult(self.title, result, evidence, source, at, self.id), fixes)


def command_for(stack: Stack, command: str, *words: str) -> str:
    """One of our own commands, about this stack and no other."""
    return shlex.join(("scaler-batch", command, "--region", stack.region, "--prefix", stack.prefix, *words))
