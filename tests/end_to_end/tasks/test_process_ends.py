"""Functions that end their process, or can't return: a clear error of the right kind, and the engine is well."""

from __future__ import annotations

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cases import first_now
from tests.support.cluster.running_engine import Engine, run_client

ENDS = {
    "sys.exit(0)": ("import sys; sys.exit(0)", "RuntimeError", "sys.exit"),
    "os._exit(3)": ("import os; os._exit(3)", "ProcessorDiedError", "3"),
    "imitated retry code": ("import os; os._exit(75)", "ProcessorDiedError", "75"),
    "SIGKILL of itself": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ProcessorDiedError", "SIGKILL"),
    "a segfault": ("import ctypes; ctypes.string_at(0)", "ProcessorDiedError", "SIGSEGV"),
    "an unpicklable result": ("import threading; return threading.Lock()", "TypeError", "lock"),
    "a local exception class": ("class Local(Exception): pass\n        raise Local('deep')", "RuntimeError", "deep"),
}


@pytest.mark.parametrize("name", first_now(ENDS, 3))
def test_the_client_gets_a_clear_error_and_the_engine_goes_on(cluster: LocalCluster, engine: Engine, name: str) -> None:
    body, kind, text = ENDS[name]
    script = f"""
    def task():
        {body}
    with Client(address=ADDRESS) as client:
        error = client.submit(task).exception(timeout=60)
        print(type(error).__name__, "|", error)
        assert client.submit(abs, -1).result(timeout=60) == 1
    """
    printed = run_client(cluster, script)
    assert printed.startswith(kind)
    assert text in printed


@pytest.mark.long
def test_memory_past_the_limit_is_told_as_such(cluster: LocalCluster, engine: Engine) -> None:
    script = """
    def hoard():
        import time
        kept = []
        while True:
            kept.append(bytearray(64 * 1024 * 1024))
            time.sleep(0.005)
    with Client(address=ADDRESS) as client:
        error = client.submit(hoard).exception(timeout=60)
        print(type(error).__name__, "|", error)
    """
    printed = run_client(cluster, script).lower()
    assert printed.startswith("memoryerror")


@pytest.mark.long
def test_300_mib_of_output_hang_nothing(cluster: LocalCluster, engine: Engine) -> None:
    script = """
    def chatter():
        line = "x" * 1023
        for _ in range(300 * 1024):
            print(line)
        return "done"
    with Client(address=ADDRESS) as client:
        print(client.submit(chatter).result(timeout=100))
    """
    assert "done" in run_client(cluster, script)
