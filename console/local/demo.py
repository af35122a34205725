"""The client of `scaler-batch local --demo N`: the seed's example, run as a program of its own.

`python -P -m console.local.demo ADDRESS N` prints one line of JSON, a `DemoAnswer`, on standard output. It is a
process of its own so that the function belongs to `__main__`, as in anybody's script, and travels by value.
"""

from __future__ import annotations

import sys
import time

import msgspec


class DemoAnswer(msgspec.Struct, frozen=True):
    """What came back, and the seconds from the first submission to the last result."""

    results: list[int]
    seconds: float


def heavy_computation(x: int) -> int:
    return x**2


def expected_results(count: int) -> list[int]:
    return [heavy_computation(x) for x in range(count)]


def run_demo(address: str, count: int) -> DemoAnswer:
    """`x ** 2` over `range(count)` through the scheduler at `address`."""
    from scaler import Client

    with Client(address=address) as client:
        started = time.monotonic()
        results = client.map(heavy_computation, range(count))
        return DemoAnswer(results, time.monotonic() - started)


def main() -> None:
    address, count = sys.argv[1:]
    answer = run_demo(address, int(count))
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    main()
