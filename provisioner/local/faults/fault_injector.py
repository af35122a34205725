"""Injector of faults: which are on, and whether one strikes now. Safe for threads; time and chance are injected."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

import msgspec

from provisioner.local.faults.faults import (
    Ambiguous,
    CallFault,
    ChanceFault,
    ExpiredCredentials,
    Fault,
    KillAfter,
    KillBefore,
    Lag,
    Lost,
    MomentaryRefusal,
    ServerError,
    Slow,
    Throttle,
)
from provisioner.local.faults.passing import PASSING_ANSWERS, PassingAnswer
from provisioner.local.http.calls import CALLERS

RUNNER: Final = CALLERS[1]
C = TypeVar("C", bound=CallFault)
J = TypeVar("J", bound=ChanceFault)


@dataclass(frozen=True, slots=True)
class Call:
    """One call as faults see it. `subject` is the S3 key or the job's name, when there is one."""

    service: str
    api: str
    caller: str
    subject: str = ""


@dataclass(slots=True)
class Active:
    """A fault that is switched on, how many calls it let pass, how often it struck, and a throttle's tokens."""

    fault: Fault
    since: float
    passed: int = 0
    struck: int = 0
    tokens: float = 0.0
    filled: float = 0.0
    salt: float = 0.0
    """Decides how long each job lags."""


class FaultInjector:
    """Owns the active faults."""

    def __init__(self, chance: random.Random, now: Callable[[], float] = time.monotonic) -> None:
        self._chance = chance
        self._now = now
        self._lock = threading.Lock()
        self._active: list[Active] = []

    def add(self, fault: Fault) -> None:
        """Switch a fault on, as of now."""
        now = self._now()
        with self._lock:
            salt = self._chance.random() if isinstance(fault, Lag) else 0.0
            self._active.append(Active(fault, now, tokens=1.0, filled=now, salt=salt))

    def clear(self) -> None:
        """Switch all faults off."""
        with self._lock:
            self._active.clear()

    @property
    def quiet(self) -> bool:
        """Nothing is switched on: most calls need no look."""
        return not self._active

    def snapshot(self) -> list[dict[str, Any]]:
        """The faults that are on as JSON objects, each with how often it `struck`."""
        with self._lock:
            return [{"struck": one.struck, **msgspec.to_builtins(one.fault)} for one in self._active]

    def strikes(self, kind: type[ChanceFault], name: str) -> bool:
        """Whether a fault of this kind strikes the job of that name, or the result of that key."""
        return self.struck_by(kind, name) is not None

    def struck_by(self, kind: type[J], name: str) -> J | None:
        """The fault of this kind that strikes the job of that name, or the result of that key."""
        with self._lock:
            for active in self._active:
                fault = active.fault
                if isinstance(fault, kind):
                    hits = self._applies(active, name) and self._chance.random() < fault.probability
                    if hits:
                        active.struck += 1
                        return fault
        return None

    def lag(self, view: str, name: str) -> float:
        """Seconds by which `view` (what is shown, and of which job) lags; `name` is the job's."""
        with self._lock:
            for active in self._active:
                fault = active.fault
                if isinstance(fault, Lag) and self._applies(active, name):
                    active.struck += 1
                    return random.Random(f"{active.salt}/{view}").uniform(0, fault.seconds)
        return 0.0

    def throttled(self, call: Call) -> bool:
        """Whether a `Throttle` refuses this call; takes a token when it passes."""
        return self._struck(call, Throttle, self._out_of_tokens) is not None

    def failing(self, call: Call) -> ServerError | None:
        """The fault that refuses this call with an HTTP status."""
        return self._struck(call, ServerError)

    def refusal(self, call: Call) -> PassingAnswer | None:
        """What the call is refused with for a moment."""

        def fits(active: Active) -> bool:
            return isinstance(active.fault, MomentaryRefusal) and (call.service, active.fault.code) in PASSING_ANSWERS

        found = self._struck(call, MomentaryRefusal, fits)
        return None if found is None else PASSING_ANSWERS[call.service, found.code]

    def delay_s(self, call: Call) -> float:
        """Seconds for which this call is held up."""
        slow = self._struck(call, Slow)
        return 0.0 if slow is None else slow.delay

    def lost(self, call: Call) -> bool:
        """Whether the connection of this call is cut before anything is done."""
        return self._struck(call, Lost) is not None

    def ambiguous(self, call: Call) -> Ambiguous | None:
        """The fault that spoils the answer of this call after it was carried out."""
        return self._struck(call, Ambiguous)

    def kills_before(self, call: Call) -> bool:
        """Whether the job that makes this call is killed before it is carried out."""
        return call.caller == RUNNER and self._struck(call, KillBefore) is not None

    def kills_after(self, call: Call) -> bool:
        """Whether the job that made this call is killed before it is answered."""
        return call.caller == RUNNER and self._struck(call, KillAfter) is not None

    def expired(self, call: Call) -> bool:
        """Whether the caller's credentials count as expired; the runner's never do."""
        return call.caller != RUNNER and self._struck(call, ExpiredCredentials) is not None

    def _struck(self, call: Call, kind: type[C], condition: Callable[[Active], bool] = lambda _: True) -> C | None:
        with self._lock:
            for active in self._active:
                fault = active.fault
                if not isinstance(fault, kind) or not self._concerns(active, fault, call):
                    continue
                if active.passed < fault.after:
                    active.passed += 1
                elif condition(active):
                    active.struck += 1
                    return fault
        return None

    def _concerns(self, active: Active, fault: CallFault, call: Call) -> bool:
        over = fault.seconds is not None and self._now() - active.since >= fault.seconds
        api = call.api.lower()
        named = fault.api.lower() in ("*", call.service, api, f"{call.service}.{api}")
        return named and not over and self._applies(active, call.subject)

    def _applies(self, active: Active, subject: str) -> bool:
        used_up = active.fault.count is not None and active.struck >= active.fault.count
        return not used_up and fnmatchcase(subject, active.fault.match)

    def _out_of_tokens(self, active: Active) -> bool:
        """A bucket that holds one second's worth, at least one call."""
        fault, now = active.fault, self._now()
        assert isinstance(fault, Throttle)
        if fault.rate == 0:
            return True
        gained = (now - active.filled) * fault.rate
        active.tokens = min(max(1.0, fault.rate), active.tokens + gained)
        active.filled = now
        if active.tokens < 1:
            return True
        active.tokens -= 1
        return False
