"""Errors that end a program: one sentence that says what is wrong, what was expected, what to do."""

from __future__ import annotations


class EngineError(Exception):
    """Error that ends the engine with `exit_code` and its text as the one line that is printed."""

    exit_code = 1


class ConfigError(EngineError):
    """Wrong usage or configuration; names the key, the value and what is allowed."""

    exit_code = 2


class StartupError(EngineError):
    """Something the engine was given can't work: no credentials, no such queue, a definition without its `Ref::`s."""


class SchedulerLost(EngineError):
    """No word from the scheduler for longer than the death timeout."""

    def __init__(self, address: str, silence: float) -> None:
        super().__init__(
            f"no word from the scheduler at {address} for {silence:.0f} s, longer than the death timeout: "
            "check that it runs and can be reached, then start again; running jobs were left for adoption"
        )


class OwnershipLost(EngineError):
    """Another manager took this worker-manager id, or the lease could not be renewed in time."""


class NotDrained(EngineError):
    """The drain was cut short, by its timeout or a second signal."""

    def __init__(self, left: int) -> None:
        super().__init__(
            f"stopped before {left} tasks had finished: their jobs stay with AWS Batch for adoption by the next "
            "engine of the same worker-manager id"
        )


class ClusterShutdown(EngineError):
    """A client shut the whole cluster down; no one waits for results any more."""

    exit_code = 0
