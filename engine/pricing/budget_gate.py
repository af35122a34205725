"""Budget of one worker manager: what may be used, what was used, and whether more may be submitted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from engine.errors import ConfigError
from engine.model import Budget, BudgetUnit, Link, LinkId, Price

logger = logging.getLogger(__name__)

Used = Callable[[BudgetUnit], float | None]
"""What jobs have used so far, the running ones included; None: unknown."""


def check_budget(budget: Budget, price: Price) -> None:
    """Raise `ConfigError` for a budget in money while prices are unknown."""
    if budget.unit is BudgetUnit.MONEY and not price.is_known:
        raise ConfigError(
            f"a budget of {budget.describe()} can't be kept while prices are unknown ({price.note}): "
            "give --price, or a budget in vCPU-hours like 400vcpuh"
        )


class BudgetGate:
    """Gate of submissions; open without a budget. `clock` gives seconds since the epoch."""

    def __init__(self, budget: Budget | None, used: Used, clock: Callable[[], float] = time.time) -> None:
        self.budget = budget
        self._used = used
        self._clock = clock
        self._is_open = True
        self._since = clock()

    @property
    def used(self) -> float | None:
        """What was used of it, in its unit; None without a budget, or while that is unknown."""
        return None if self.budget is None else self._used(self.budget.unit)

    def is_open(self) -> bool:
        """More may be submitted. Constant time: it is asked before each start."""
        budget, used = self.budget, self.used
        is_open = budget is None or used is None or used < budget.limit
        if is_open is not self._is_open:
            self._is_open, self._since = is_open, self._clock()
            if budget is not None and not is_open:
                logger.warning("the budget of %s is spent: nothing more is submitted", budget.describe())
        return is_open

    def links(self) -> tuple[Link, ...]:
        """The budget as something that work may wait for; nothing without one."""
        if self.budget is None:
            return ()
        is_spent = not self.is_open()
        detail = f"the budget of {self.budget.describe()} is spent" if is_spent else ""
        return (Link("budget", True, self._since, detail, id=LinkId.BUDGET, degraded=is_spent),)
