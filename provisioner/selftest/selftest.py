"""Selftest: runs the checks one after the other, with time and cost of each, and takes everything away at the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from engine.errors import EngineError
from provisioner.errors import ProvisionError
from provisioner.selftest.bench import Bench
from provisioner.selftest.model import (
    CheckFailed,
    CheckSkipped,
    SelftestOutcome,
    SelftestReport,
    SelftestVerdict,
    cost_usd,
)
from provisioner.selftest.table import SelftestCheck

ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Heard = Callable[[SelftestOutcome], None]


def run_selftest(bench: Bench, checks: Sequence[SelftestCheck], heard: Heard) -> SelftestReport:
    """Run the checks; `heard` is told each outcome at once. Raises `EngineError` when nothing can be started.

    However it ends, what was made is taken away; what an early end leaves is told by a `ProvisionError`.
    """
    begun = bench.now()
    outcomes: list[SelftestOutcome] = []
    try:
        bench.start()
        for check in checks:
            outcomes.append(check_outcome(bench, check, late=bench.now() - begun > bench.patience.limit_s))
            heard(outcomes[-1])
    except BaseException as error:
        _, left = _cleaned(bench)
        if left:
            raise ProvisionError(
                f"The selftest ended early, and could not take away everything: {' '.join(left)}"
            ) from error
        raise
    cleaned, left = _cleaned(bench)
    return SelftestReport(
        region=bench.target.region,
        job_queue=bench.target.job_queue,
        manager_id=bench.manager_id,
        outcomes=tuple(outcomes),
        cleaned=tuple(cleaned),
        left=tuple(left),
        seconds=bench.now() - begun,
        usd=sum(one.usd for one in outcomes),
    )


def _cleaned(bench: Bench) -> tuple[list[str], list[str]]:
    with undisturbed():
        return bench.clean()


@contextmanager
def undisturbed() -> Iterator[None]:
    """Context that no signal to end cuts short: what was made costs money. Main thread only."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_outcome(bench: Bench, check: SelftestCheck, *, late: bool = False) -> SelftestOutcome:
    """Make one check; `late` says that there is no time left for it."""
    begun = bench.now()
    verdict, evidence = _verdict(bench, check, late=late)
    seconds = bench.now() - begun
    usd = cost_usd(_vcpu_seconds(bench), seconds)
    return SelftestOutcome(check=check.name, verdict=verdict, evidence=evidence, seconds=seconds, usd=usd)


def _verdict(bench: Bench, check: SelftestCheck, *, late: bool) -> tuple[SelftestVerdict, str]:
    if late:
        return SelftestVerdict.SKIPPED, f"Not proven: the {bench.patience.limit_s / 60:.0f} minutes are over."
    try:
        bench.begin_check()
        return SelftestVerdict.PASS, check.run(bench)
    except CheckSkipped as skipped:
        return SelftestVerdict.SKIPPED, str(skipped)
    except (CheckFailed, EngineError) as failed:
        return SelftestVerdict.FAIL, str(failed)


def _vcpu_seconds(bench: Bench) -> float:
    """None to speak of when AWS doesn't tell: the verdict says so already."""
    try:
        return bench.vcpu_seconds()
    except ProvisionError:
        return 0.0
