"""Policy of waiting for AWS; injected so that tests don't wait."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class WaitPolicy:
    """Exponential backoff with jitter, up to a deadline. Clock and sleep are in seconds."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[float, float], float] = random.uniform

    def until(self, seconds: float) -> Iterator[None]:
        """Turns with pauses between them that grow to `LONGEST_PAUSE_S`; none begins after the deadline."""
        deadline = self.clock() + seconds
        pause = FIRST_PAUSE_S
        while True:
            yield
            if self.clock() >= deadline:
                return
            self.sleep(self.jitter(pause / 2, pause))
            pause = min(2 * pause, LONGEST_PAUSE_S)
