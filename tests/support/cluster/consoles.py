"""The console as people start it, in a terminal, and what a person reads off its dashboard."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from provisioner.local.cluster import LocalCluster
from tests.support.socket_places import short_folder
from tests.support.terminal import Terminal

PROGRAM = (sys.executable, "-P", "-c", "from console.cli.main import main; main()")
STATES = ("QUEUED", "SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")
ROUTES = ("inline", "gzip", "s3")


class UserFolders:
    """One person's folders and variables, so that what is started here finds nothing else, and can be found."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder, self.runtime = folder, runtime
        homes = {name: folder / name for name in ("home", "config", "state", "tmp")}
        for home in homes.values():
            home.mkdir()
        self.environ = {
            "HOME": str(homes["home"]),
            "TMPDIR": str(homes["tmp"]),
            "XDG_CONFIG_HOME": str(homes["config"]),
            "XDG_STATE_HOME": str(homes["state"]),
            "XDG_RUNTIME_DIR": str(runtime),
            "LANG": "C.UTF-8",
            "SCALER_BATCH_TEST_RUN": folder.name,
        }

    def terminal(self, *words: str, environ: Mapping[str, str] | None = None) -> Terminal:
        """`scaler-batch` with these words, 160x40: wide enough for all panes."""
        environ = {**self.environ, **(environ or {})}
        return Terminal((*PROGRAM, *words), columns=160, environ=environ, cwd=self.folder)

    def run(self, cluster: LocalCluster, *words: str) -> Terminal:
        """`scaler-batch run` against the cluster, with its console."""
        return self.terminal("run", *run_words(cluster), *words, environ=cluster.environment())

    def engines(self) -> list[str]:
        """The names of their folders."""
        return [entry.name for entry in self.runtime.glob("scaler-batch/*")]

    def processes(self) -> list[int]:
        """All that descend from what was started here."""
        mark = f"SCALER_BATCH_TEST_RUN={self.folder.name}".encode()
        return [pid for pid, environ in _environments() if mark in environ.split(b"\0")]


@contextmanager
def user_folders(folder: Path) -> Iterator[UserFolders]:
    """Its sockets have a folder with a short name, as sockets need. At the end nothing that was started goes on."""
    with short_folder() as runtime:
        here = UserFolders(folder, runtime)
        try:
            yield here
        finally:
            for pid in here.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def run_words(cluster: LocalCluster) -> tuple[str, ...]:
    resources = cluster.resources
    return (
        *(cluster.scheduler_address, "--worker-manager-id", "wm-test"),
        *("--job-queue", resources.job_queue, "--job-definition", resources.job_definition),
        *("--s3-bucket", resources.bucket, "--aws-region", resources.region),
    )


def pictures(terminal: Terminal, seconds: float) -> Iterator[str]:
    """The screen whenever nothing is being drawn, for so long at most."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        terminal.read(0.2)
        while terminal.read(0.02):
            pass
        yield terminal.text


def counts(text: str) -> dict[str, int]:
    """By state, off the strip of states; empty while it isn't there."""
    lines = text.splitlines()
    head = next((number for number, line in enumerate(lines) if "QUEUED" in line and "SUBMITTED" in line), None)
    if head is None:
        return {}
    numbers = [number.replace(",", "") for number in re.findall(r"\d[\d,]*", lines[head + 1])]
    return dict(zip(STATES, map(int, numbers), strict=False)) if len(numbers) >= len(STATES) else {}


def total(text: str) -> int | None:
    found = re.search(r"Σ ([\d,]+)", text)
    return int(found[1].replace(",", "")) if found else None


def routes(text: str) -> dict[str, tuple[int, int]]:
    """Jobs and share in percent, by route."""
    found = re.findall(rf"│ ({'|'.join(ROUTES)}) +([\d,]+) +(\d+)%", text)
    return {name: (int(jobs.replace(",", "")), int(share)) for name, jobs, share in found}


def used(text: str, quota: str) -> float | None:
    """How much of a quota is used, off the quota pane."""
    found = re.search(rf"│ {quota} .*?([\d.,]+)/[\d.,K]+", text)
    return float(found[1].replace(",", "")) if found else None


def _environments() -> Iterator[tuple[int, bytes]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                yield int(entry.name), (entry / "environ").read_bytes()
            except OSError:
                continue
