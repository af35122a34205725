"""Local cluster for a worker manager: a provisioned local AWS, and Scaler's own processes.

with LocalCluster(state_dir=folder, transport="zmq") as cluster:
    client = scaler.Client(address=cluster.scheduler_address)
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from provisioner.local.options import Delays
from provisioner.local.processes.scaler_processes import GuardedProcess, LocalScaler
from provisioner.plan.executor import provision
from provisioner.stack.saved_state import Provisioned
from provisioner.stack.spec import ProvisionSpec

if TYPE_CHECKING:
    from provisioner.local.docker.job_image import JobImage

IMAGE: Final = "scaler-batch-runner:local"  # never pulled: jobs run in processes of this Python


class LocalCluster:
    """Scheduler, object storage and local AWS; `resources` names what was provisioned. All end with this process.

    vcpus bounds the jobs that run at once; memory is MiB asked for a job (see `ProvisionSpec`); `options` are more
    fields of `provisioner.local.options.LocalAWSOptions`. With a `job_image` jobs run in containers of it.
    """

    def __init__(
        self,
        state_dir: str | os.PathLike[str],
        transport: str = "ymq",
        faults: Sequence[str] = (),
        vcpus: int = 256,
        memory: int = 2048,
        delays: Delays = Delays(),  # noqa: B008  # frozen
        job_image: JobImage | None = None,
        **options: Any,
    ) -> None:
        self._state_dir = Path(state_dir)
        self._transport = transport
        self._vcpus = vcpus
        self._memory = memory
        self._job_image = job_image
        self._stack = ExitStack()
        own = {"faults": tuple(faults), "delays": delays, "containers": job_image is not None}
        self.aws = LocalAWS(self._state_dir / "aws", **own, **options)
        self._scaler = LocalScaler({**os.environ, "SCALER_NETWORK_BACKEND": transport}, self._state_dir)
        self._resources: Provisioned | None = None

    def __enter__(self) -> Self:
        """Returns when all are ready. Raises `LocalAWSError`, `ProvisionError`; then nothing is left running."""
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def scheduler_address(self) -> str:
        """Address of Scaler's scheduler, `tcp://127.0.0.1:PORT`, once the cluster is entered."""
        return self._scaler.scheduler_address

    @property
    def monitor_address(self) -> str:
        """Address where the scheduler tells its monitors what tasks ask for."""
        return self._scaler.monitor_address

    @property
    def object_storage_address(self) -> str:
        """Address of Scaler's object storage, `tcp://127.0.0.1:PORT`."""
        return self._scaler.object_storage_address

    @property
    def resources(self) -> Provisioned:
        """Names of what was provisioned. Raises `RuntimeError` before the cluster is entered."""
        if self._resources is None:
            raise RuntimeError("The cluster is not up; enter it first.")
        return self._resources

    def environment(self) -> dict[str, str]:
        """The variables that a worker manager or a client of this cluster needs."""
        return {**self.aws.environment(), "SCALER_NETWORK_BACKEND": self._transport}

    def restart_scheduler(self) -> None:
        """The scheduler loses everything and comes back at the same address."""
        _restart(self._scaler.scheduler)

    def restart_object_storage(self) -> None:
        """Object storage loses every object and comes back at the same address."""
        _restart(self._scaler.storage)

    def _start(self) -> None:
        """What takes long is launched first and waited for last; the scheduler wants its storage there."""
        self._state_dir.mkdir(parents=True, exist_ok=True)
        self._stack.callback(self.aws.stop)
        self.aws.launch()
        self._stack.callback(self._scaler.stop)
        self._scaler.launch()
        self.aws.wait_ready()
        self._resources = self._provision()
        self._scaler.wait_ready()

    def _provision(self) -> Provisioned:
        region = self.aws.options.region
        spec = ProvisionSpec(image=IMAGE, region=region, max_vcpus=self._vcpus, memory=self._memory)
        clients = Clients(region, session=self.aws.session(), endpoint_url=self.aws.endpoint)
        if self._job_image is not None:
            spec = replace(spec, image=self._job_image.provide(replace(spec, image=None), clients))
        return provision(spec, clients)


def _restart(process: GuardedProcess) -> None:
    process.stop()
    process.launch()
    process.wait_ready()
