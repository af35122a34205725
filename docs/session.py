"""A client whose tasks make a session worth watching: several functions, every payload route, a few failures.

Recorded with:
scaler-batch local --headless --max-concurrent-jobs 60 --record docs/session.rec --record-logs --script docs/session.py
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any

from scaler import Client

TASKS = 240


def price_leg(seed: int) -> float:
    chance = random.Random(seed)
    time.sleep(chance.uniform(2.0, 9.0))
    print(f"INFO leg {seed} priced")
    return chance.random()


def calibrate(curve: bytes) -> int:
    time.sleep(3.0)
    print(f"INFO calibrated on {len(curve)} bytes")
    return len(curve)


def scenario(number: int) -> float:
    time.sleep(2.0)
    if number % 4 == 0:
        print("WARNING matrix is close to singular")
        raise ZeroDivisionError("the matrix is singular")
    return 1.0 / number


def report(seconds: int) -> int:
    """Long enough that the log of what failed before is in the recording."""
    time.sleep(seconds)
    print("INFO report written")
    return seconds


def main() -> None:
    work: list[tuple[Callable[[Any], float], Any]] = [(price_leg, seed) for seed in range(TASKS)]
    work += [(calibrate, os.urandom(size)) for size in (6_000, 20_000, 90_000) * 8]
    work += [(scenario, number) for number in range(1, 25)]
    random.Random(1).shuffle(work)
    with Client(address=os.environ["SCALER_ADDRESS"]) as client:
        for future in [client.submit(function, argument) for function, argument in [*work, (report, 50)]]:
            future.exception()


if __name__ == "__main__":
    main()
