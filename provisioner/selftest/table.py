"""The table of the selftest's checks, in the order in which they run: each has a name, and one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from engine.errors import ConfigError
from provisioner.selftest.bench import Bench
from provisioner.selftest.checks import account, cancels, failures, recovery, routes, storage


@dataclass(frozen=True, slots=True)
class SelftestCheck:
    """A row: `claim` is what the check proves, told before anything starts. `run` gives the evidence or raises."""

    name: str
    claim: str
    run: Callable[[Bench], str]


CHECKS: Final = (
    SelftestCheck("plan-fresh", "a plan of the stack as it was provisioned is empty, twice", account.plan_is_empty),
    SelftestCheck("latency-cold", "submit → in Batch → RUNNING → result, an instance's start in it", account.latencies),
    SelftestCheck("single-inline", "a single job with its payload in SubmitJob", routes.single_inline),
    SelftestCheck("single-s3", "a single job with its payload in S3", routes.single_s3),
    SelftestCheck("array-inline", "an array job with its payloads in SubmitJob", routes.array_inline),
    SelftestCheck("array-s3", "an array job with its payloads in S3", routes.array_s3),
    SelftestCheck(
        "failure", "a function that fails is told with its own exception and its last lines", failures.failing_function
    ),
    SelftestCheck("log-tail", "the log of a job is read from CloudWatch", failures.log_tail),
    SelftestCheck("cancel-child", "a cancel ends one child of an array, the others go on", cancels.cancel_of_child),
    SelftestCheck("metadata", "a job can't take the instance's role (IMDS)", account.metadata_is_shut),
    SelftestCheck("missing-key", "a missing key is a 404 under the exported policy alone", storage.missing_key),
    SelftestCheck("conditional-put", "S3 refuses writes whose condition doesn't hold", storage.conditional_put),
    SelftestCheck("lease", "a second manager of the same id is refused", recovery.lease),
    SelftestCheck("takeover", "after kill -9 a successor gives the result of the job that ran", recovery.takeover),
    SelftestCheck("ambiguous-submit", "a lost answer of SubmitJob submits nothing twice", recovery.ambiguous_submit),
    SelftestCheck("latency-warm", "submit → in Batch → RUNNING → result, on a warm instance", account.latencies),
    SelftestCheck("plan-used", "after all these jobs a plan is still empty", account.plan_is_empty),
)


def chosen_checks(names: Sequence[str]) -> tuple[SelftestCheck, ...]:
    """Checks of these names, all without any. Raises `ConfigError` for a name that none has."""
    known = {check.name: check for check in CHECKS}
    for name in names:
        if name not in known:
            raise ConfigError(f"--check is {name!r}, but must be one of {', '.join(known)}.")
    return tuple(known[name] for name in names) if names else CHECKS
