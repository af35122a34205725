"""Server process of the local AWS: puts the parts together, says where it listens, and ends everything with itself.

The parent holds the other end of our standard input: when that ends, however the parent ended, so do we, and
with us the fork server and every job.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

from moto.core import DEFAULT_ACCOUNT_ID
from moto.logs.models import logs_backends

import scaler_batch
from provisioner.local.account.default_route import DefaultRoute
from provisioner.local.account.ec2_rules import Ec2Rules
from provisioner.local.account.iam_rules import IamRules
from provisioner.local.account.kms_rules import KmsRules
from provisioner.local.account.moto_account import MotoAccount
from provisioner.local.account.moto_bridge import Moto
from provisioner.local.account.price_list_api import PriceListApi
from provisioner.local.account.quotas_api import QuotasApi
from provisioner.local.batch.api import BatchApi
from provisioner.local.batch.clock import Clock, ThreadClock
from provisioner.local.batch.control_plane.resources import Resources
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.batch.jobs.submit import DEFAULT_LOG_GROUP
from provisioner.local.faults.fault_injector import FaultInjector
from provisioner.local.faults.faults import parse_fault
from provisioner.local.http.access_key import AccessKey
from provisioner.local.http.gateway import Gateway, Services
from provisioner.local.http.instance_metadata import METADATA
from provisioner.local.http.server import HttpRequest, HttpResponse, HttpServer
from provisioner.local.logs.log_store import LogStore
from provisioner.local.logs.logs_api import LogsApi
from provisioner.local.no_proxy import no_proxy
from provisioner.local.options import LocalAWSOptions
from provisioner.local.processes.executor import ForkServerExecutor
from provisioner.local.processes.fork_server.framing import ProgramSettings
from provisioner.local.processes.result_writer import ResultWriter
from provisioner.local.regions import RegionalServices, Regions
from provisioner.local.s3.s3 import S3

if TYPE_CHECKING:
    from provisioner.local.docker.container_executor import ContainerExecutor
    from provisioner.local.docker.registry import Registry

READY: Final = "READY "
PARENT_CHECK_S: Final = 1.0
KEPT_VARIABLES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "PYTHONPATH")


class LocalServer:
    """Everything that lives in the process."""

    def __init__(self, options: LocalAWSOptions, key: AccessKey) -> None:
        self._options = options
        self._key = key
        self._http = HttpServer(self._answer, options.port)
        self._registry = make_registry(options)
        self._environ = self._make_environ()
        self._moto, self._faults = Moto(), FaultInjector(random.Random(options.random_seed))
        self._s3 = S3(self._moto, self._faults)
        self._executor = self._make_executor()
        self._gateway = self._make_gateway()

    @property
    def endpoint(self) -> str:
        """URL by which clients reach every service."""
        return f"http://127.0.0.1:{self._http.port}"

    def start(self) -> None:
        """Serve, once jobs can be started. Raises `LocalAWSError` when they can't."""
        self._executor.wait_ready()
        self._http.start()

    def close(self) -> None:
        """Take no calls any more, then end every job."""
        self._http.close()
        self._executor.close()

    def _answer(self, request: HttpRequest) -> HttpResponse:
        return self._gateway(request)

    @property
    def _work_dir(self) -> Path:
        return Path(self._options.state_dir) / "work"

    def _make_environ(self) -> Mapping[str, str]:
        """Variables of every job: none of ours, but for what a process needs to be one."""
        if self._registry is not None:
            return aws_environ(self.endpoint, self._key)
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        return {**kept, "TMPDIR": str(self._work_dir), **aws_environ(self.endpoint, self._key)}

    def _make_executor(self) -> ForkServerExecutor | ContainerExecutor | ResultWriter:
        if self._options.no_jobs:
            return ResultWriter(self._s3)
        if self._registry is not None:
            from provisioner.local.docker.container_executor import ContainerExecutor

            return ContainerExecutor(self._registry, engine_lost)
        self._work_dir.mkdir(parents=True, exist_ok=True)
        settings = ProgramSettings(
            program=self._options.program,
            region=self._options.region,
            work_dir=str(self._work_dir),
            root=scaler_batch.ROOT,
            python_path=self._options.python_path,
        )
        return ForkServerExecutor(settings, self._environ, executor_lost)

    def _ecr(self, moto: Moto, region: str) -> Callable[[HttpRequest], HttpResponse]:
        if self._registry is None:
            return moto
        from provisioner.local.docker.ecr_api import EcrApi

        return EcrApi(self._registry, region, moto).answer

    def _make_gateway(self) -> Gateway:
        options, faults, moto = self._options, self._faults, self._moto
        for fault in options.faults:
            faults.add(parse_fault(fault))
        clock = ThreadClock()
        regions = Regions(lambda name: self._make_region(name, moto, faults, clock))
        services = Services(regions, options.region, PriceListApi(moto), IamRules(moto), self._s3, moto)
        return Gateway(services, faults, self._key)

    def _make_region(self, name: str, moto: Moto, faults: FaultInjector, clock: Clock) -> RegionalServices:
        options = self._options
        logs = LogStore(options.max_stream_bytes, options.max_log_bytes, lambda group: has_group(moto, name, group))
        lifecycle = Lifecycle(options, clock, self._executor, faults, logs, self._environ)
        resources = Resources(lifecycle, MotoAccount(moto, name), options.delays, name)
        kms = KmsRules(moto, name)
        return RegionalServices(
            lifecycle=lifecycle,
            batch=BatchApi(lifecycle, resources, name),
            logs=LogsApi(
                logs,
                lambda group, stream: has_stream(moto, name, group, stream),
                lambda group, key: encrypt_group(moto, name, group, key),
                lambda group, key: kms.refusal_of_logs(key, log_group_arn(name, group)),
            ),
            quotas=QuotasApi(name),
            ec2=Ec2Rules(resources.environments.has_group),
            kms=kms,
            default_route=DefaultRoute(moto, name),
            ecr=self._ecr(moto, name),
        )


def has_group(moto: Moto, region: str, group: str) -> bool:
    """Batch makes its own group when it is first needed; any other has to be there."""
    backend = logs_backends[DEFAULT_ACCOUNT_ID][region]
    with moto.lock:
        if group == DEFAULT_LOG_GROUP and group not in backend.groups:
            backend.create_log_group(group, {})
        return group in backend.groups


def has_stream(moto: Moto, region: str, group: str, stream: str) -> bool:
    """Whether the stream was made by calls of CloudWatch Logs, and not by a job."""
    with moto.lock:
        found = logs_backends[DEFAULT_ACCOUNT_ID][region].groups.get(group)
        return found is not None and stream in found.streams


def log_group_arn(region: str, group: str) -> str:
    """ARN of a log group, as KMS is told of it."""
    return f"arn:aws:logs:{region}:{DEFAULT_ACCOUNT_ID}:log-group:{group}"


def encrypt_group(moto: Moto, region: str, group: str, key: str | None) -> bool:
    """Give a log group a KMS key, or none; whether there is such a group."""
    with moto.lock:
        found = logs_backends[DEFAULT_ACCOUNT_ID][region].groups.get(group)
        if found is not None:
            found.kms_key_id = key
        return found is not None


def aws_environ(endpoint: str, key: AccessKey) -> Mapping[str, str]:
    """Variables by which boto3 in a job finds the local AWS."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        **key.environment(),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{endpoint}{METADATA}",
        **no_proxy({}),
    }


def make_registry(options: LocalAWSOptions) -> Registry | None:
    """The registry, where jobs run in containers. What needs Docker's library is imported only then."""
    if not options.containers:
        return None
    from provisioner.local.docker.registry import Registry

    return Registry(Path(options.state_dir) / "registry")


def engine_lost(reason: Exception) -> None:
    """End the process when the Docker engine is gone: running jobs could never end."""
    print(f"{reason}; the local AWS can't run jobs and ends, too.", file=sys.stderr)
    os._exit(1)


def executor_lost() -> None:
    """End the process when the fork server is gone: running jobs could never end."""
    print("The fork server ended; the local AWS can't run jobs and ends, too.", file=sys.stderr)
    os._exit(1)


def end_on_defect(arguments: threading.ExceptHookArgs) -> None:
    """A thread that ends by an exception would leave jobs hanging: better none than a lame one."""
    traceback.print_exception(arguments.exc_value)
    os._exit(1)


def serve(options: LocalAWSOptions) -> None:
    """Runs until SIGTERM, SIGINT or the end of standard input."""
    threading.excepthook = end_on_defect
    stopped_reader, stopped_writer = os.pipe()

    def stop(_signum: int, _frame: FrameType | None) -> None:
        os.write(stopped_writer, b"\0")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    parent = os.getppid()
    server = LocalServer(options, AccessKey.of_environment())
    server.start()
    print(READY + server.endpoint, flush=True)
    wait_for_end(stopped_reader, parent)
    server.close()


def wait_for_end(stopped: int, parent: int) -> None:
    """Return when `stopped` is readable, or standard input ended, or the parent is gone.

    The parent is looked up every `PARENT_CHECK_S`, because a forked sibling may hold our standard input open.
    """
    while os.getppid() == parent:
        readable, _, _ = select.select([0, stopped], [], [], PARENT_CHECK_S)
        if stopped in readable or (readable and not os.read(0, 4096)):
            return
