"""One engine on the models: lease, Batch backend, task manager and worker, as the worker manager wires them."""

from __future__ import annotations

import asyncio
import contextvars
import random
from typing import Any, cast

from engine.aws.client import AwsClient
from engine.aws.object_store import ObjectStore
from engine.aws.session import AwsSession
from engine.backends.batch.assembly import BatchAssembly
from engine.backends.batch.backend import BatchBackend
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.preflight import Surroundings
from engine.backends.batch.takeover.lease import Lease
from engine.config.settings import Pack
from engine.jobs.registry import JobRegistry
from engine.storage.storage_link import StorageLink
from engine.tasks.task_manager import AWSHPCTaskManager
from engine.worker import AWSBatchWorker
from tests.support.engine.batch_harness import config
from tests.support.schedules.batch_model import QUEUE
from tests.support.schedules.scaler_model import ModelChannel, ModelStorage, Scheduler
from tests.support.schedules.session_model import ModelSession, ModelStore

_engine: contextvars.ContextVar[ModelEngine | None] = contextvars.ContextVar("engine", default=None)
SURROUNDINGS: dict[str, Any] = {
    "command": (),
    "log_group": "",
    "gpus": 0,
    "vcpus": 1.0,
    "memory_mib": 2048,
    "tags": {},
    "environments": (),
    "has_priority": False,
}


def note_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
    """Task factory: what an engine starts, whoever starts it, belongs to that engine."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **more)
    owner = _engine.get()
    if owner is not None:
        owner.running.add(task)
        task.add_done_callback(owner.running.discard)
    return task


class ModelEngine:
    """Start it with `start`; `kill` ends it as kill -9 does: nothing that it still does arrives anywhere.

    With `sees_death` it runs where its predecessor ran, and doesn't wait until that one's lease has expired.
    """

    def __init__(
        self,
        rng: random.Random,
        scheduler: Scheduler,
        storage: ModelStorage,
        session: ModelSession,
        slots: int,
        queue: int,
        pack: Pack = "off",
        memory_retries: int = 0,
        *,
        parallel: int = 1,
        sees_death: bool = False,
    ) -> None:
        self._rng = rng
        self._scheduler = scheduler
        self._storage = storage
        self._session = session
        self._config = config(
            worker_manager_id="wm",
            job_queue=QUEUE,
            s3_bucket="bucket",
            max_concurrent_jobs=slots,
            task_queue_size=queue,
            pack=pack,
            pack_parallel=parallel,
            memory_retries=memory_retries,
            # many inline, some through S3
            inline_limit=2_000,
        )
        self._sees_death = sees_death
        self.running: set[asyncio.Task[Any]] = set()
        self.lost = ""
        self.is_killed = False
        self.tasks = AWSHPCTaskManager(
            cast("Any", storage), slots, self._note_loss, JobRegistry(self._config.worker_manager_id)
        )
        self.backend: BatchBackend | None = None

    async def start(self) -> None:
        """Take the lease, find what a predecessor left, connect the worker."""
        context = contextvars.copy_context()
        context.run(_engine.set, self)
        await asyncio.create_task(self._start(), context=context)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        layout = StoreLayout("bucket", "tasks", self._config.worker_manager_id)
        client = AwsClient(cast("AwsSession", self._session), clock=loop.time, uniform=self._rng.uniform)
        store = cast("ObjectStore", ModelStore(self._session))
        lease = Lease(
            client=client,
            bucket="bucket",
            key=layout.lease,
            token=f"{self._rng.getrandbits(64):x}",
            on_lost=self._note_loss,
            clock=loop.time,
            is_gone=lambda record: self._sees_death,
        )
        await lease.acquire()
        client.ownership = lease
        client.pauses.on_paused, client.pauses.on_resumed = self.tasks.on_paused, self.tasks.on_resumed
        parts = BatchAssembly(
            config=self._config,
            observer=self.tasks,
            client=client,
            store=store,
            layout=layout,
            lease=lease,
            surroundings=Surroundings(**SURROUNDINGS),
        )
        self.backend = BatchBackend(parts, capabilities={}, by_priority=False)
        self.tasks.use_backend(self.backend)
        await self.backend._begin(parts)
        storage = cast("StorageLink", self._storage)
        worker = AWSBatchWorker(self._connect, self._config, {}, self.tasks, storage, self._scheduler.listen)
        self.working = asyncio.create_task(worker.run())

    async def _connect(self, address: str) -> ModelChannel:
        if self.is_killed:  # its worker may outlive a cancel that met the end of its link
            await asyncio.Event().wait()
        return await self._scheduler.connect(address)

    def kill(self) -> None:
        """End it in this moment."""
        self.is_killed = True
        self._session.dead = True
        for task in list(self.running):
            task.cancel()

    def _note_loss(self, reason: str) -> None:
        if not self.is_killed:
            self.lost = self.lost or reason
