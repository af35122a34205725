"""One line of the doctor's table, with what to do about it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from engine.diagnosis.model import CheckResult, CheckStatus, Remedy
from provisioner.stack.naming import Stack


@dataclass(frozen=True, slots=True)
class Finding:
    check: CheckResult
    fixes: tuple[Remedy, ...] = ()

    @property
    def failed(self) -> bool:
        return self.check.result is CheckStatus.FAIL


def finding(
    name: str, result: CheckStatus, evidence: str, *fixes: Remedy, source: str = "", at: float = 0.0
) -> Finding:
    return Finding(CheckResult(name, result, evidence, source, at), fixes)


def command_for(stack: Stack, command: str, *words: str) -> str:
    """One of ours, about this stack and no other."""
    return shlex.join(("scaler-batch", command, "--region", stack.region, "--prefix", stack.prefix, *words))
