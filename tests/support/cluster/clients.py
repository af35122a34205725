"""Clients that a test leads step by step: they wait for a line on their input and answer with one."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import Engine, await_condition, call_counts, client_process, end_client


class TalkingClient:
    """A client script as a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def tell(self, line: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def say(self, line: str, timeout: float = 60.0) -> str:
        """Give it a line; its next line. Empty when it ended, or when it said nothing in time and was ended."""
        assert self.process.stdout is not None
        late = threading.Timer(timeout, self.process.kill)
        late.start()
        try:
            self.tell(line)
            return self.process.stdout.readline().strip()
        finally:
            late.cancel()
            late.join()

    def finish(self, timeout: float) -> str:
        """Wait for its end, which has to be a good one, and give what it printed since."""
        output, errors = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, f"client exited {self.process.returncode}:\n{output}\n{errors}"
        return output


@contextmanager
def talking_client(cluster: LocalCluster, script: str) -> Iterator[TalkingClient]:
    """A client script that reads lines with `input()` and flushes what it prints; ended if the test did not end it."""
    process = client_process(cluster, script)
    try:
        yield TalkingClient(process)
    finally:
        end_client(process, cluster)
        process.communicate()


HALF = 6
TWO_HALVES = """
import time
def work(n, folder, seconds):
    with open(os.path.join(folder, f"{{n:02}}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(seconds)
    return n * n
with Client(address=ADDRESS) as client:
    futures = [client.submit(work, n, {folder!r}, 4) for n in range({half})]
    input()
    futures += [client.submit(work, n, {folder!r}, 0) for n in range({half}, 2 * {half})]
    print("sent", flush=True)
    assert [one.result(timeout=150) for one in futures] == [n * n for n in range(2 * {half})]
"""


class TwoHalves(TalkingClient):
    """Half of its tasks run already, for four seconds; the others are sent when the test says so."""

    once_each = [1] * 2 * HALF

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        super().__init__(process)
        self._folder = folder

    @property
    def calls(self) -> list[int]:
        """How often each function was called."""
        return call_counts(self._folder)

    def send_second_half(self) -> None:
        assert self.say("go") == "sent"


@contextmanager
def client_in_two_halves(cluster: LocalCluster, engine: Engine, folder: Path) -> Iterator[TwoHalves]:
    """It succeeds when every value is right; `folder` keeps the counts of calls."""
    counts = folder / "calls"
    counts.mkdir()
    with talking_client(cluster, TWO_HALVES.format(folder=str(counts), half=HALF)) as client:
        await_condition(lambda: len(call_counts(counts)) == HALF, 30, lambda: engine.log)
        yield TwoHalves(client.process, counts)
