"""Health of the engine process: CPU, memory, and how late its event loop runs."""

from __future__ import annotations

import logging
import os
import resource
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.telemetry.schema.messages import EngineVitals

SAMPLE_S: Final = 0.5
WINDOW_S: Final = 10.0
_SAMPLES: Final = int(WINDOW_S / SAMPLE_S)
_STATM: Final = Path("/proc/self/statm")


class Vitals:
    """Samples of the last `WINDOW_S` seconds."""

    def __init__(
        self,
        version: str,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._version = version
        self._monotonic = monotonic
        self._cpu_clock = cpu_clock
        self._started_at = clock()
        self._host = socket.gethostname()
        self._samples: deque[tuple[float, float, float]] = deque(maxlen=_SAMPLES + 1)
        self.sample(0.0)

    def sample(self, lag_s: float) -> None:
        """Take a sample, every `SAMPLE_S`; `lag_s` is how late this call came."""
        self._samples.append((self._monotonic(), self._cpu_clock(), lag_s))

    def read(self, viewers: int) -> EngineVitals:
        """Summarize the samples; `viewers` is passed on."""
        (first, cpu_first, _), (last, cpu_last, _) = self._samples[0], self._samples[-1]
        return EngineVitals(
            pid=os.getpid(),
            host=self._host,
            version=self._version,
            started_at=self._started_at,
            cpu_share=(cpu_last - cpu_first) / (last - first) if last > first else 0.0,
            rss_bytes=resident_bytes(),
            loop_lag_s=max(lag for _, _, lag in self._samples),
            log_level=logging.getLevelName(logging.getLogger("engine").getEffectiveLevel()),
            viewers=viewers,
        )


def resident_bytes() -> int:
    """Read the resident memory of this process. Where the kernel has no present value (macOS), the highest so far."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
