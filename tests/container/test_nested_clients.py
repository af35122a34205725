"""Scaler's client inside a job: where it finds its scheduler, and which task it names."""

from __future__ import annotations

import subprocess
import sys
import textwrap

from container.batch_job_wire.protocol import nesting_task
from engine.backends.batch.submit.request import runner_options
from tests.support.paths import ROOT

TASK = bytes(range(16))


def in_a_job(script: str, address: str = "tcp://127.0.0.1:1") -> str:
    """What a process prints that knows its task, as the task's own does."""
    begin = f"""
        import sys
        from batch_job_scaler import SchedulerAddress, introduce_task
        introduce_task(bytes(range(16)), SchedulerAddress({address!r}, "ymq"))
    """
    program = textwrap.dedent(begin) + textwrap.dedent(script)
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'container')!r}){program}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_client_made_in_a_job_names_its_task() -> None:
    said = in_a_job("""
        from scaler.utility.identifiers import ClientID
        print(ClientID.generate_client_id().decode())
    """)
    assert nesting_task(said.encode()) == TASK


def test_a_client_without_an_address_finds_the_scheduler_in_any_thread() -> None:
    said = in_a_job("""
        from concurrent.futures import ThreadPoolExecutor
        from scaler import Client
        resolve = Client._Client__resolve_scheduler_address
        storage = Client._Client__resolve_object_storage_address
        priority = Client._Client__get_parent_task_priority
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(resolve, None, None).result()
        print(repr(found), storage(None, None), priority())
    """)
    assert said == "tcp://127.0.0.1:1 None 0"


def test_nothing_of_scaler_is_imported_for_a_task_that_does_not() -> None:
    assert in_a_job("print('scaler' in sys.modules)") == "False"


def test_the_addresses_travel_in_the_runners_options() -> None:
    assert runner_options("r", None, None, "tcp://h:1", "zmq") == "region=r;scheduler=tcp://h:1;transport=zmq"
