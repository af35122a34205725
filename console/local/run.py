"""Run of `scaler-batch local`: the cluster around it, the engine and a client inside it, the report after it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from console.cli.progress import say, step
from console.local.api_calls import ApiCalls, managers_calls
from console.local.demo_report import DemoAnswer, DemoReport, make_report, print_report
from console.local.session import ChildProgram, LocalSession, SessionEnd, Voice
from console.local.stack import saved_local_stack
from console.processes.engine_program import engine_command
from engine.config.resolve import resolve
from engine.config.settings import EngineConfig

if TYPE_CHECKING:
    from provisioner.local.aws import LocalAWS
    from provisioner.local.cluster import LocalCluster
    from provisioner.local.docker.job_image import JobImage
    from provisioner.local.options import Delays

DEMO_SCRIPT: Final = Path(__file__).with_name("demo.py")

Pace = Literal["fast", "aws"]
PROCESSES_AT_ONCE: Final = 256
"""Jobs of one vCPU; in containers there are as many as this machine has cores."""

# With a client the interesting output is the client's; a cluster that stays up tells what it does.
QUIET_LEVEL: Final = "WARNING"


class ImageOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The image that jobs in containers run in: the `given` one, or one that is built from the rest."""

    given: str | None = None
    base: str | None = None
    requirements: Path | None = None
    packages: tuple[Path, ...] = ()


class LocalRunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of one run; `flags` are parameters of the engine that the cluster doesn't decide."""

    demo: int | None
    script: Path | None
    faults: tuple[str, ...]
    as_json: bool
    containers: bool = False
    no_jobs: bool = False
    image: ImageOptions = ImageOptions()
    stay: bool = False
    """Not to end with the client."""
    pace: Pace = "fast"
    """Of the local AWS."""
    flags: Mapping[str, object]

    @property
    def has_client(self) -> bool:
        """True when a client runs inside the session, the demo's or the user's script."""
        return self.demo is not None or self.script is not None


def run_locally(options: LocalRunOptions) -> int:
    """Start everything, run, end everything, remove the state folder. Returns the exit code."""
    from provisioner.local.cluster import LocalCluster

    users = dict(os.environ)
    forget_aws()
    reach_loopback()
    with tempfile.TemporaryDirectory(prefix="scaler-batch-") as folder:
        cluster = LocalCluster(
            state_dir=Path(folder),
            transport=os.environ.get("SCALER_NETWORK_BACKEND", "ymq"),
            vcpus=(os.cpu_count() or 1) if options.containers else PROCESSES_AT_ONCE,
            delays=delays(options),
            job_image=job_image(options),
            python_path=python_path(options),
            no_jobs=options.no_jobs,
        )
        with started(cluster), saved_local_stack(cluster.aws.environment(), cluster.resources):
            start_faults(cluster.aws, options.faults)
            return LocalRun(options, cluster, users).run()


def start_faults(aws: LocalAWS, faults: Iterable[str]) -> None:
    """Switch the faults on, and their clocks with them: provisioning, which is no part of a trial, is over."""
    for fault in faults:
        aws.fault(fault)


def python_path(options: LocalRunOptions) -> tuple[str, ...]:
    """List the folders where jobs look for modules first: the script's own, as for the script itself."""
    return () if options.script is None else (str(options.script.resolve().parent),)


def job_image(options: LocalRunOptions) -> JobImage | None:
    """Describe the image that jobs run in; None where they run as processes of this Python.

    Raises `ConfigError` for options that can't be.
    """
    if not options.containers:
        return None
    from provisioner.image.events import Event, ImageStep
    from provisioner.kinds import StepState
    from provisioner.local.docker.job_image import JobImage, request_for_this_machine

    def heard(event: Event) -> None:
        if isinstance(event, ImageStep) and event.state is not StepState.RUNNING:
            say(f"image: {event.name} {event.state}, {event.text}")

    image = options.image
    request = request_for_this_machine(image.base, image.requirements, image.packages)
    return JobImage(report=heard, given=image.given, request=request)


def delays(options: LocalRunOptions) -> Delays:
    """Choose the local AWS's delays: the pace's; a fast demo on a screen takes a moment in each state, as jobs do."""
    from provisioner.local.options import DELAYS, Delays, LocalPace

    if options.demo is None or not options.stay or options.pace == "aws":
        return DELAYS[LocalPace(options.pace)]
    return Delays(submitted=0.5, runnable=1.0, starting=1.0)


@contextmanager
def started(cluster: LocalCluster) -> Iterator[None]:
    """Hold the cluster, from its start that is shown to its end that signals don't interrupt. Raises `EngineError`."""
    with step("starting Scaler and a local AWS"):
        cluster.__enter__()
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        cluster.__exit__(None, None, None)


class LocalRun:
    """Engine and client in a cluster that is up."""

    def __init__(self, options: LocalRunOptions, cluster: LocalCluster, users: Mapping[str, str]) -> None:
        self._options = options
        self._cluster = cluster
        self._users_environ = users
        self._calls_before = ApiCalls(0, 0, 0)
        self._report: DemoReport | None = None

    def run(self) -> int:
        """Run to the end. Returns the exit code: the script's own, or 0 when all went right."""
        aws = self._cluster.aws
        self._calls_before = managers_calls(aws.calls())
        end = asyncio.run(self._session().run())
        code = exit_code(end)
        if self._options.demo is None or code != 0:
            return code
        report = self._report or self._make_report(self._options.demo, end.client_output)
        if self._report is None:
            print_report(report, as_json=self._options.as_json)
        return 0 if report.all_right else 1

    def _make_report(self, count: int, output: bytes) -> DemoReport:
        answer = msgspec.json.decode(output, type=DemoAnswer)
        return make_report(count, answer, managers_calls(self._cluster.aws.calls()).since(self._calls_before))

    def _client_ended(self, code: int, output: bytes) -> None:
        """Tell the end of a client that the cluster outlives; a console shows what is printed."""
        client = "script" if self._options.demo is None else "demo"
        if not self._options.as_json:
            print(f"the {client} has ended with exit code {code}", flush=True)
        if self._options.demo is not None and code == 0:
            self._report = self._make_report(self._options.demo, output)
            print_report(self._report, as_json=self._options.as_json)
            sys.stdout.flush()

    def _session(self) -> LocalSession:
        voice = Voice(say=say, started=self._announce, client_ended=self._client_ended)
        return LocalSession(
            self._engine(), self._client(), voice, capture=self._options.demo is not None, stay=self._options.stay
        )

    def _announce(self) -> None:
        """A cluster that stays up says where it is; a client is told by its environment."""
        address = self._cluster.scheduler_address
        if self._options.has_client and (self._options.as_json or not self._options.stay):
            return
        if self._options.as_json:
            print(json.dumps({"scheduler_address": address}), flush=True)
        else:
            print(f'Scaler is at {address}: Client(address="{address}").', flush=True)
            say("Ctrl-C drains and ends")

    def _engine(self) -> ChildProgram:
        environ = {**os.environ, **self._cluster.environment()}
        return ChildProgram(engine_command(engine_settings(self._options, self._places())), environ)

    def _client(self) -> ChildProgram | None:
        if self._options.script is not None:
            return self._python(str(self._options.script))
        if self._options.demo is not None:
            address, count = self._cluster.scheduler_address, str(self._options.demo)
            return self._python("-P", str(DEMO_SCRIPT), address, count)
        return None

    def _python(self, *arguments: str) -> ChildProgram:
        address = {"SCALER_ADDRESS": self._cluster.scheduler_address}
        return ChildProgram((sys.executable, *arguments), {**self._users_environ, **address})

    def _places(self) -> dict[str, object]:
        resources = self._cluster.resources
        return {
            "scheduler_address": self._cluster.scheduler_address,
            "scheduler_monitor_address": self._cluster.monitor_address,
            "object_storage_address": self._cluster.object_storage_address,
            "job_queue": resources.job_queue,
            "job_definition": resources.job_definition,
            "s3_bucket": resources.bucket,
            "aws_region": resources.region,
        }


def engine_settings(options: LocalRunOptions, places: Mapping[str, object]) -> EngineConfig:
    """Resolve the engine's configuration; `places` are the parameters that the cluster decides.

    Raises `ConfigError` for a flag that can't be.
    """
    level = QUIET_LEVEL if options.has_client else None
    ours = {"logging_level": level, "logging_paths": ["/dev/stderr"]}
    given = {name: value for name, value in options.flags.items() if value}
    return resolve({**ours, **given, **places}, {})


def exit_code(end: SessionEnd) -> int:
    """Decide the exit code: a client's own counts first; then whether the worker manager ended well."""
    if end.client_code:
        return end.client_code if end.client_code > 0 else 1
    if end.engine_code > 0:
        say(f"the worker manager ended with exit code {end.engine_code}; it says why above")
    if end.engine_code < 0 and not end.stopped:
        say(f"the worker manager was killed by {signal.Signals(-end.engine_code).name}")
    if end.engine_code != 0:
        return 1
    return 1 if end.client_interrupted else 0


def forget_aws() -> None:
    """Take AWS's variables out of this process and its children: a profile or a token has no business here."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]


def reach_loopback() -> None:
    """Take loopback out of what goes through a proxy, for this process and its children."""
    from provisioner.local.no_proxy import no_proxy

    os.environ.update(no_proxy(os.environ))
