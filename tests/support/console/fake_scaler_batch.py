"""Stands for the other process: prints what `scaler-batch` would with `--json`, and notes how it was called.

Called with a folder first, which tells it what to answer: `<command>.json` (of `show`, `show-live`, `plan`, `destroy`)
is printed as it is, `<command>.lines` line by line. `hold.<command>` keeps it waiting before its last line until the
file is gone; `fail.<command>` is what it says on standard error before it ends with 1.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

POLL_S = 0.01
STOPPED = 130


def main() -> int:
    folder, *words = sys.argv[1:]
    place = Path(folder)
    name = {"show --live": "show-live", "plan --destroy": "destroy"}.get(" ".join(words[:2]), words[0])
    _note(place, name, words)
    if (place / f"fail.{name}").exists():
        print((place / f"fail.{name}").read_text(), file=sys.stderr)
        return 1
    if (answer := place / f"{name}.json").exists():
        _hold(place, name)
        print(answer.read_text())
        return 0
    return _tell(place, name)


def _note(place: Path, name: str, words: list[str]) -> None:
    call = {"name": name, "words": words, "pid": os.getpid(), "endpoint": os.environ.get("AWS_ENDPOINT_URL", "")}
    with open(place / "calls", "a") as calls:
        calls.write(json.dumps(call) + "\n")


def _tell(place: Path, name: str) -> int:
    *most, last = (place / f"{name}.lines").read_text().splitlines()
    for each in most:
        print(each, flush=True)
    _hold(place, name)
    print(last, flush=True)
    event = json.loads(last)
    return 1 if event.get("event") == "failed" or event.get("remains") else 0


def _hold(place: Path, name: str) -> None:
    while (place / f"hold.{name}").exists():
        time.sleep(POLL_S)


def _stopped(number: int, frame: object) -> None:
    print("scaler-batch: stopped", file=sys.stderr, flush=True)
    sys.exit(STOPPED)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, _stopped)
    sys.exit(main())
