"""Processes as the operating system knows them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from provisioner.local.processes.fork_server.process_tree import children


def test_a_process_that_another_thread_made_is_a_child_too() -> None:
    made: list[subprocess.Popen[bytes]] = []
    seen: list[int] = []

    def make() -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            made.append(child)
            seen.extend(children(os.getpid()))
            child.communicate(b"\n")

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert made[0].pid in seen
