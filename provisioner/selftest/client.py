"""Scaler client of the selftest: a script of its own, so that its functions belong to `__main__` and travel by value.

`python -P …/client.py` connects to SCALER_ADDRESS and answers one JSON object a line: `submit` keeps futures under a
name, `collect` waits for them, `cancel` ends one of them. Started by its path; it imports nothing of ours.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from typing import Any


def square(x: int) -> int:
    """Square `x`, for want of something heavy."""
    return x * x


def square_of(x: int, filler: bytes) -> list[int]:
    """Square `x`, and measure what came with it."""
    return [x * x, len(filler)]


def nap(seconds: float) -> str:
    """Sleep, so that something can happen meanwhile."""
    time.sleep(seconds)
    return "napped"


def fail(word: str) -> None:
    """Print a line and fail with it."""
    print(f"the selftest's line {word}", flush=True)
    raise ValueError(word)


def metadata_role() -> str:
    """Ask the instance's metadata (IMDSv2) for the role whose credentials it gives; empty where nothing answers."""
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    ask = urllib.request.Request(f"{base}/latest/api/token", method="PUT")
    ask.add_header("X-aws-ec2-metadata-token-ttl-seconds", "60")
    try:
        with direct.open(ask, timeout=3) as answer:
            token = answer.read().decode()
        named = urllib.request.Request(f"{base}/latest/meta-data/iam/security-credentials/")
        named.add_header("X-aws-ec2-metadata-token", token)
        with direct.open(named, timeout=3) as answer:
            return str(answer.read().decode())
    except (OSError, ValueError):
        return ""


FUNCTIONS = {function.__name__: function for function in (square, square_of, nap, fail, metadata_role)}


class Session:
    """Futures by name, on one Scaler client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._futures: dict[str, list[Any]] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what a request asks for."""
        name = request["name"]
        if request["do"] == "submit":
            return self._submit(name, FUNCTIONS[request["function"]], request["arguments"], request["filler"])
        if request["do"] == "cancel":
            return {"cancelled": is_cancelled(self._futures[name][request["index"]], request["timeout"])}
        deadline = time.monotonic() + request["timeout"]
        return {"results": [outcome_of(one, deadline - time.monotonic()) for one in self._futures.pop(name)]}

    def _submit(self, name: str, function: Any, arguments: list[list[Any]], filler: int) -> dict[str, Any]:
        more = [(os.urandom(filler),) if filler else () for _ in arguments]  # random: gzip can't make it small
        submit = self._client.submit
        self._futures[name] = [submit(function, *one, *added) for one, added in zip(arguments, more, strict=True)]
        return {"submitted": time.time()}


def outcome_of(future: Any, seconds: float) -> dict[str, Any]:
    """Wait for a future: its value, or its exception in words."""
    try:
        return {"value": future.result(timeout=max(0.0, seconds))}
    except BaseException as error:
        return {"error": type(error).__name__, "text": str(error), "notes": list(getattr(error, "__notes__", ()))}


def is_cancelled(future: Any, seconds: float) -> bool:
    """Cancel a task; True when that was confirmed in time."""
    try:
        return bool(future.cancel(timeout=seconds))
    except Exception:  # what it raises is another one in each release of Scaler
        return False


def main() -> None:
    """Answer the requests of standard input until it ends."""
    from scaler import Client

    with Client(address=os.environ["SCALER_ADDRESS"]) as client:
        session = Session(client)
        for line in sys.stdin:
            print(json.dumps(session.answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
