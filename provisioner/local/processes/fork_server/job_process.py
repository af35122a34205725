"""The program that a job runs, and one forked process that runs it."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NoReturn

import botocore.exceptions
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from . import process_tree
from .framing import ProgramSettings, Start

# What the first connection or the first task would import in every job.
PRELOADED: Final = ("cloudpickle", "encodings.idna", "stringprep", "unicodedata", "socket", "traceback", "faulthandler")
OUR_NAMES: Final = ("console", "engine", "provisioner", "container")
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
        """Return an S3 client for a region: the warm one, for the first who asks, or a new one.

        A job with several lanes asks for each: two processes must not speak over one connection.
        """
        wanted = region or self._default
        return self._clients.pop(wanted, None) or s3_client(wanted)


class UserPackageFinder:
    """Import finder that resolves our four top-level names without our own root: an image holds none of ours.

    The editable installation of a user's project may stand on `sys.path` behind ours; and a name that the user has
    nowhere must be missing, as it is on AWS, instead of being a package of ours without the user's function.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the user's package of that name. Raises `ModuleNotFoundError` for our names where there is none."""
        if name not in OUR_NAMES:
            return None
        spec = PathFinder.find_spec(name, [one for one in sys.path if os.path.realpath(one) != self._root], target)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return spec


def load(settings: ProgramSettings) -> JobProgram:
    """Import the program and all that jobs need, with the module search path that jobs shall have."""
    sys.path[:0] = [str(Path(settings.root) / "container"), *settings.python_path]
    sys.meta_path.insert(0, UserPackageFinder(settings.root))
    for name in PRELOADED:
        importlib.import_module(name)
    file, _, function = settings.program.rpartition(":")
    program = getattr(import_file(file), function)
    importlib.import_module("batch_job_attempt")  # the runner imports it in each job, once it has forked
    return JobProgram(program, settings)


def import_file(file: str) -> ModuleType:
    """Import one file by its path, so that its folder needn't be searched. Raises `ModuleNotFoundError`."""
    name = Path(file).stem
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not Path(file).is_file():
        raise ModuleNotFoundError(f"No module named {name!r}: {file} is no Python file", name=name, path=file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def s3_client(region: str) -> Any:
    """Return the runner's own client."""
    return importlib.import_module("batch_job_store").make_client(region)


def warm_client(region: str) -> Any:
    """Return a client whose first real call is as fast as its tenth, without a connection that forks could share."""
    client = s3_client(region)
    if not hasattr(client, "meta"):  # the light one of the runner opens nothing and loads nothing later
        return client
    client.meta.events.register("before-send.s3", nothing_found, unique_id="warm")
    for call in (client.head_object, client.get_object):
        swallow(call, Bucket="warm", Key="warm")
    swallow(client.put_object, Bucket="warm", Key="warm", Body=b"warm")
    client.meta.events.unregister("before-send.s3", nothing_found, unique_id="warm")
    return client


def nothing_found(request: Any, **_: Any) -> AWSResponse:
    """Answer a request with 404 before it is sent, as botocore's `before-send` event allows."""
    return AWSResponse(request.url, 404, HTTPHeaders(), EmptyBody())


class EmptyBody:
    """Body of an answer that never came from a socket, as far as botocore reads it."""

    def stream(self, **_: Any) -> list[bytes]:
        """Return no chunk, as `urllib3.HTTPResponse.stream` would for an empty body."""
        return []


def swallow(call: Callable[..., Any], **arguments: Any) -> None:
    """Make a call whose error of AWS doesn't matter."""
    try:
        call(**arguments)
    except botocore.exceptions.ClientError:
        return


def run(program: JobProgram, start: Start, output: int, memory_folder: str) -> NoReturn:
    """Run the whole life of a job's first process; never returns to the fork server's code.

    What a container would be told of its memory is in `memory_folder`.
    """
    code = 1
    try:
        become_a_job(start, output, program.work_dir)
        os.environ[importlib.import_module("batch_job_memory").CGROUP_VARIABLE] = memory_folder
        code = program.main(list(start.argv), dict(start.environ), program.make_client)
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        flush()
        os._exit(code & 0xFF)


def flush() -> None:
    """Write out what standard output and standard error still hold."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the job closed it
            continue


def become_a_job(start: Start, output: int, work_dir: str) -> None:
    """Leave the fork server behind: a session, signals, output, environment and `__main__` of the job's own."""
    os.setsid()
    be_nice()
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


def be_nice() -> None:
    """Lower this process's share of the cores, and that of its session, which Linux may weigh as one.

    https://man7.org/linux/man-pages/man7/sched.7.html, "The autogroup feature"
    """
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # no such feature, or more than its few changes a second
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def redirect(output: int) -> None:
    """Give the process no input and `output` as both its outputs, and close every other descriptor."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, MAX_DESCRIPTOR)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "wb", closefd=False), line_buffering=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "wb", closefd=False), line_buffering=True)
