"""The client of `scaler-batch local --demo N`: the seed's example, as a script.

`python -P …/demo.py ADDRESS N` prints one line of JSON on standard output: the results, and the seconds from the first
submission to the last of them. It is a process of its own so that the function belongs to `__main__`, as in any user's
script, and travels by value; and started by its path, because a user's own packages come first there.
"""

from __future__ import annotations

import json
import sys
import time


def heavy_computation(x: int) -> int:
    """Square `x`, for want of something heavy."""
    return x**2


def expected_results(count: int) -> list[int]:
    """Compute here what the jobs should return."""
    return [heavy_computation(x) for x in range(count)]


def run_demo(address: str, count: int) -> dict[str, object]:
    """Map the function over `range(count)` through the scheduler at `address`. Returns a `DemoAnswer`'s fields."""
    from scaler import Client

    with Client(address=address) as client:
        started = time.monotonic()
        results = client.map(heavy_computation, range(count))
        return {"results": results, "seconds": time.monotonic() - started}


def main() -> None:
    """Run the demo that the command line asks for and print its answer."""
    address, count = sys.argv[1:]
    print(json.dumps(run_demo(address, int(count))))


if __name__ == "__main__":
    main()
