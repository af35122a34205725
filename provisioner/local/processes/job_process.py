"""The program that a job runs, and one forked process that runs it."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

import botocore.exceptions
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from provisioner.local.options import CONTAINER
from provisioner.local.processes import process_tree
from provisioner.local.processes.framing import ProgramSettings, Start

# What the first connection or the first task would import in every job.
PRELOADED: Final = ("cloudpickle", "encodings.idna", "stringprep", "unicodedata", "socket", "traceback", "faulthandler")
HELD_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
NICENESS: Final = 10  # on AWS jobs don't share cores with scheduler and manager: here they get what those leave
MAX_DESCRIPTOR: Final = 4096  # beyond what the fork server ever has open

MakeClient = Callable[[str | None], Any]
Main = Callable[[Sequence[str], Mapping[str, str], MakeClient], int]


class JobProgram:
    """The function to run, with a client for its region that is ready for a fork."""

    def __init__(self, main: Main, settings: ProgramSettings) -> None:
        self.main = main
        self.work_dir = settings.work_dir
        self._clients = {settings.region: warm_client(settings.region)}
        self._default = settings.region

    def make_client(self, region: str | None) -> Any:
        wanted = region or self._default
        return self._clients.get(wanted) or s3_client(wanted)


def load(settings: ProgramSettings) -> JobProgram:
    file, _, function = settings.program.rpartition(":")
    path = Path(file)
    sys.path[:0] = [str(path.parent), str(CONTAINER)]
    for name in PRELOADED:
        importlib.import_module(name)
    module = importlib.import_module(path.stem)
    return JobProgram(getattr(module, function), settings)


def s3_client(region: str) -> Any:
    """The runner's own client."""
    return importlib.import_module("batch_job_store").make_client(region)


def warm_client(region: str) -> Any:
    """A client whose first real call is as fast as its tenth, without a connection that forks could share."""
    client = s3_client(region)
    client.meta.events.register("before-send.s3", nothing_found, unique_id="warm")
    for call in (client.head_object, client.get_object):
        swallow(call, Bucket="warm", Key="warm")
    swallow(client.put_object, Bucket="warm", Key="warm", Body=b"warm")
    client.meta.events.unregister("before-send.s3", nothing_found, unique_id="warm")
    return client


def nothing_found(request: Any, **_: Any) -> AWSResponse:
    return AWSResponse(request.url, 404, HTTPHeaders(), EmptyBody())


class EmptyBody:
    """What botocore reads of an answer that never came from a socket."""

    def stream(self, **_: Any) -> list[bytes]:
        return []


def swallow(call: Callable[..., Any], **arguments: Any) -> None:
    try:
        call(**arguments)
    except botocore.exceptions.ClientError:
        return


def run(program: JobProgram, start: Start, output: int) -> NoReturn:
    """The whole life of a job's first process; never returns to the fork server's code."""
    code = 1
    try:
        become_a_job(start, output, program.work_dir)
        code = program.main(list(start.argv), dict(start.environ), program.make_client)
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        flush()
        os._exit(code & 0xFF)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the job closed it
            continue


def become_a_job(start: Start, output: int, work_dir: str) -> None:
    os.setpgid(0, 0)
    os.nice(NICENESS)
    process_tree.die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_SIGNALS)
    redirect(output)
    os.chdir(work_dir)
    os.environ.clear()
    os.environ.update(start.environ)
    sys.argv = ["batch_job_runner.py", *start.argv]
    sys.modules["__main__"] = ModuleType("__main__")


def redirect(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, MAX_DESCRIPTOR)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "wb", closefd=False), line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "wb", closefd=False), line_buffering=True)
