"""Adapter to Scaler: its transports and its wire protocol (`opengris-scaler` 2.9), imported nowhere else but below.

A `SchedulerLink` opens five kinds of channel: `ManagerChannel` (capacity heartbeats, scaling commands),
`WorkerChannel` (tasks in, results out), `MonitorChannel` (what tasks ask for), `ReportChannel` (how many wait) and
`StorageChannel` (object bytes).
Each is one connection: it raises `LinkDown` when that ends, and its owner opens another. Both transports work, YMQ
and (by `SCALER_NETWORK_BACKEND=zmq`) ZMQ; object storage always speaks YMQ.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Final

import zmq
import zmq.asyncio
from scaler.config.types.address import AddressConfig
from scaler.io.mixins import AsyncConnector, ConnectorRemoteType
from scaler.io.network_backends import ZMQNetworkBackend, get_network_backend_from_env
from scaler.io.ymq import IOContext
from scaler.io.ymq_async_connector import YMQAsyncConnector
from scaler.io.ymq_async_object_storage_connector import YMQAsyncObjectStorageConnector
from scaler.io.zmq_async_connector import ZMQAsyncConnector
from scaler.protocol.capnp import (
    ClientDisconnect,
    ObjectInstruction,
    ObjectMetadata,
    Resource,
    Task,
    TaskCancel,
    TaskCancelConfirm,
    TaskCancelConfirmType,
    TaskLog,
    TaskResult,
    TaskResultType,
    WorkerDisconnectNotification,
    WorkerHeartbeat,
    WorkerHeartbeatEcho,
    WorkerManagerCommand,
    WorkerManagerHeartbeat,
    WorkerManagerHeartbeatEcho,
)
from scaler.protocol.helpers import capabilities_to_dict, dict_to_capabilities
from scaler.utility.identifiers import ClientID, ObjectID, TaskID
from scaler.utility.memory import get_memory_limit_and_available
from scaler.utility.metadata.profile_result import ProfileResult
from scaler.utility.metadata.task_flags import retrieve_task_flags_from_task

from container.batch_job_quoting import quote_foreign
from engine.diagnosis.transport_greeting import Transport, WrongTransport
from engine.messages import (
    CancelAnswer,
    CancelRequested,
    CapacityWanted,
    LinkDown,
    ManagerEcho,
    ManagerMessage,
    MarkerAnswered,
    ObjectsDeleted,
    ResultNotice,
    ShutdownRequested,
    TaskArrived,
    UnreadableAnswer,
    WorkerEcho,
    WorkerMessage,
    WorkerVitals,
)
from engine.scaler.connections import (
    StorageConnector,
    YMQConnector,
    await_connection,
    flush,
    probe,
    probe_service,
    receive_message,
    send,
    translate,
    translate_storage,
    unused_callback,
)
from engine.scaler.monitor import MonitorChannel, ReportChannel, Subscription, YMQSubscription, ZMQSubscription
from engine.scaler.ymq_socket import IsWanted

WHOLE_OBJECT: Final = 2**64 - 1
"""What Scaler's storage takes as "no limit" of a read."""


class SchedulerLink:
    """Factory of channels to one scheduler and its object storage. Owns the transport's I/O threads."""

    def __init__(self, worker_manager_id: str, io_threads: int = 1) -> None:
        self._worker_manager_id = worker_manager_id
        self._backend = get_network_backend_from_env(io_threads=io_threads)
        self._ymq = IOContext(num_threads=io_threads)

    async def open_manager(self, address: str) -> ManagerChannel:
        """Connect as a worker manager. The identity is stable: a successor replaces its predecessor at once.

        Raises `LinkDown` when nobody listens at `address`, `WrongTransport` when what does speaks another one.
        """
        connector = await self._connect(address, f"Manager|{self._worker_manager_id}")
        return ManagerChannel(connector, self._worker_manager_id)

    async def open_worker(self, address: str) -> WorkerChannel:
        """Connect as a worker, under the identity that every worker of this worker-manager id has.

        Raises `LinkDown` when nobody listens at `address`, `WrongTransport` when what does speaks another one.
        """
        connector = await self._connect(address, self._worker_identity)
        return WorkerChannel(connector, self._worker_manager_id)

    async def open_monitor(self, address: str) -> MonitorChannel:
        """Subscribe to what the scheduler tells its monitors of this worker. Raises `LinkDown`."""
        worker = self._worker_identity.encode()
        # a search takes a hundredth of the time that it takes to read a message
        return MonitorChannel(await self._subscribe(address, lambda data: worker in data), worker)

    async def open_reports(self, address: str) -> ReportChannel:
        """Subscribe to the scheduler's reports on itself. Raises `LinkDown` when nobody listens at `address`."""
        return ReportChannel(await self._subscribe(address, lambda data: True))

    async def open_storage(self, address: str) -> StorageChannel:
        """Connect to object storage. Raises `LinkDown` when nobody listens at `address`."""
        await probe_service(address, Transport.YMQ)
        identity = f"Storage|{self._worker_manager_id}|{uuid.uuid4().hex}".encode()
        connector = StorageConnector(self._ymq, identity)
        await await_connection(connector.connect(AddressConfig.from_string(address)), address)
        return StorageChannel(connector)

    async def _subscribe(self, address: str, is_wanted: IsWanted) -> Subscription:
        await probe_service(address, self._transport)
        if self._transport is Transport.ZMQ:
            return await ZMQSubscription.open(address, is_wanted)
        identity = f"Monitor|{self._worker_manager_id}|{uuid.uuid4().hex}".encode()
        return await YMQSubscription.open(self._ymq, identity, address, is_wanted)

    @property
    def _transport(self) -> Transport:
        return Transport.ZMQ if isinstance(self._backend, ZMQNetworkBackend) else Transport.YMQ

    @property
    def _worker_identity(self) -> str:
        return f"Worker|aws-batch|{self._worker_manager_id}"

    def close(self) -> None:
        """Stop the transport. Channels must be closed before."""
        self._backend.destroy()

    async def _connect(self, address: str, identity: str) -> AsyncConnector:
        connector = self._backend.create_async_connector(identity.encode(), unused_callback)
        if isinstance(connector, YMQAsyncConnector):
            connector = YMQConnector(self._ymq, identity.encode(), unused_callback)
        if mismatch := await probe(address, self._transport):
            raise WrongTransport(mismatch)
        where = AddressConfig.from_string(address)
        await await_connection(connector.connect(where, ConnectorRemoteType.Binder), address)
        return connector


class ManagerChannel:
    """One connection as a worker manager."""

    def __init__(self, connector: AsyncConnector, worker_manager_id: str) -> None:
        self._connector = connector
        self._worker_manager_id = worker_manager_id.encode()

    async def heartbeat(self, max_concurrency: int, capabilities: Mapping[str, int]) -> None:
        """Advertise capacity. The scheduler drops a manager after 10 s of silence. Raises `LinkDown`."""
        message = WorkerManagerHeartbeat(
            maxTaskConcurrency=max_concurrency,
            capabilities=dict_to_capabilities(dict(capabilities)),
            workerManagerID=self._worker_manager_id,
        )
        await send(self._connector, message)

    async def receive(self) -> ManagerMessage | None:
        """Wait for the next message; `None` for one that means nothing to a worker manager. Raises `LinkDown`."""
        match await receive_message(self._connector):
            case WorkerManagerCommand() as command:
                return _capacity_wanted(command)
            case WorkerManagerHeartbeatEcho():
                return ManagerEcho()
            case _:
                return None

    def close(self) -> None:
        """End the connection."""
        self._connector.destroy()


class WorkerChannel:
    """One connection as a worker."""

    def __init__(self, connector: AsyncConnector, worker_manager_id: str) -> None:
        self._connector = connector
        self._worker_manager_id = worker_manager_id.encode()

    async def heartbeat(self, vitals: WorkerVitals) -> None:
        """Send a heartbeat; the first one registers the worker, each is answered by one echo. Raises `LinkDown`."""
        limit, available = get_memory_limit_and_available()
        message = WorkerHeartbeat(
            agent=Resource(cpu=0, rss=0),
            rssFree=available,
            memLimit=limit,
            queueSize=vitals.queue_size,
            queuedTasks=vitals.queued_tasks,
            latencyMicroseconds=vitals.latency_microseconds,
            taskLock=vitals.busy,
            processors=[],
            capabilities=dict_to_capabilities(dict(vitals.capabilities)),
            workerManagerID=self._worker_manager_id,
        )
        await send(self._connector, message)

    async def announce_output(self, task_id: bytes, texts: Sequence[tuple[int, str]]) -> None:
        """Announce what a task printed, each text with its descriptor, in this order. Raises `LinkDown`."""
        for descriptor, text in texts:
            kind = TaskLog.LogType.stderr if descriptor == 2 else TaskLog.LogType.stdout
            if text:
                await send(self._connector, TaskLog(taskId=TaskID(task_id), logType=kind, content=text))

    async def announce_result(self, notice: ResultNotice) -> None:
        """Announce what the task printed, its result object, then its end. Raises `LinkDown`.

        In this order: the scheduler drops a TaskLog of a task that has ended.
        """
        await self.announce_output(notice.task_id, ((1, notice.stdout), (2, notice.stderr)))
        await send(self._connector, _object_created(notice))
        kind = TaskResultType.success if notice.succeeded else TaskResultType.failed
        message = TaskResult(
            taskId=TaskID(notice.task_id),
            resultType=kind,
            metadata=notice.profile,
            results=[notice.object_id],
        )
        await send(self._connector, message)

    async def answer_cancel(self, task_id: bytes, answer: CancelAnswer) -> None:
        """Confirm or refuse a cancel. Raises `LinkDown`."""
        kind = TaskCancelConfirmType[answer.value]
        message = TaskCancelConfirm(taskId=TaskID(task_id), cancelConfirmType=kind)
        await send(self._connector, message)

    async def watch(self) -> None:
        """Raise `LinkDown` when the scheduler goes. YMQ tells that a receiver, ZMQ only a monitor of the socket."""
        if not isinstance(self._connector, ZMQAsyncConnector):
            return
        monitor = self._connector.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        try:
            await monitor.recv_multipart()
        finally:
            self._connector.socket.disable_monitor()
            monitor.close(linger=0)  # one that stays open would hold up the context's end for ever
        raise LinkDown("the other end closed the connection")

    async def farewell(self) -> None:
        """Disconnect this identity: the scheduler hands on, at once, whatever it thinks it holds. Raises `LinkDown`."""
        await send(self._connector, WorkerDisconnectNotification())
        await flush(self._connector)

    async def send_marker(self, marker: bytes) -> None:
        """Send a marker (16 bytes), which the scheduler answers behind all that it has of us. Raises `LinkDown`.

        A cancel of a task that there is not: it is told to whoever asks that this was not found.
        """
        cancel = TaskCancel(taskId=TaskID(marker), flags=TaskCancel.TaskCancelFlags(force=False))
        await send(self._connector, cancel)

    async def receive(self) -> WorkerMessage | None:
        """Wait for the next message; `None` for one that means nothing to a worker. Raises `LinkDown`."""
        match await receive_message(self._connector):
            case Task() as task:
                return _task_arrived(task)
            case TaskCancel() as cancel:
                return CancelRequested(bytes(cancel.taskId), bool(cancel.flags.force))
            case TaskCancelConfirm() as confirm:
                return MarkerAnswered(bytes(confirm.taskId))
            case WorkerHeartbeatEcho() as echo:
                where = echo.objectStorageAddress
                return WorkerEcho(f"{where.scheme}://{where.host}:{where.port}")
            case ObjectInstruction() as instruction:
                return _objects_deleted(instruction)
            case ClientDisconnect() as disconnect:
                is_shutdown = disconnect.disconnectType == ClientDisconnect.DisconnectType.shutdown
                return ShutdownRequested() if is_shutdown else None
            case _:
                return None

    def close(self) -> None:
        """End the connection."""
        self._connector.destroy()


class StorageChannel:
    """One connection to object storage.

    Callers must not ask for one object twice at a time and never cancel a `get`: Scaler's connector shares one
    future between the readers of an object. `ObjectCache` keeps both rules.
    """

    def __init__(self, connector: YMQAsyncObjectStorageConnector) -> None:
        self._connector = connector

    async def get(self, object_id: bytes, at_most: int | None) -> bytes | memoryview:
        """Read an object's bytes, untouched, or its first `at_most`. Waits until it exists. Raises `LinkDown`."""
        limit = WHOLE_OBJECT if at_most is None else at_most
        data: bytes | memoryview = await translate_storage(self._connector.get_object(ObjectID(object_id), limit))
        return data

    async def put(self, object_id: bytes, data: bytes) -> None:
        """Store an object; nothing acknowledges it. Raises `LinkDown`."""
        await translate_storage(self._connector.set_object(ObjectID(object_id), data))

    async def run(self) -> None:
        """Move answers to their readers until the connection ends, then raise `LinkDown` or `UnreadableAnswer`."""
        while True:
            try:
                await translate(self._connector.routine())
            except LinkDown:
                raise
            except Exception as error:  # whatever Cap'n Proto makes of the bytes, and an assertion of their length
                what = quote_foreign(error or type(error).__name__)
                raise UnreadableAnswer(f"it answers what can't be read: {what}") from error

    def close(self) -> None:
        """End the connection."""
        self._connector.destroy()


def new_result_id(client_id: bytes) -> bytes:
    """Make a fresh object id that the client owns, as Scaler's own workers do."""
    return bytes(ObjectID.generate_object_id(ClientID(client_id)))


def pack_profile(duration_s: float, peak_bytes: int, cpu_s: float) -> bytes:
    """Serialize the metadata of a result; a client with `profiling=True` reads it."""
    return bytes(ProfileResult(duration_s, peak_bytes, cpu_s).serialize())


def _capacity_wanted(command: WorkerManagerCommand) -> CapacityWanted:
    return CapacityWanted(
        tuple(
            (int(request.taskConcurrency), frozenset(capabilities_to_dict(request.capabilities)))
            for request in command.setDesiredTaskConcurrencyRequests
        )
    )


def _task_arrived(task: Task) -> TaskArrived:
    client_id = bytes(task.source)
    flags = retrieve_task_flags_from_task(task)
    return TaskArrived(
        task_id=bytes(task.taskId),
        client_id=client_id,
        serializer_id=bytes(ObjectID.generate_serializer_object_id(ClientID(client_id))),
        function_id=bytes(task.funcObjectId),
        argument_ids=tuple(bytes(argument.data) for argument in task.functionArgs),
        priority=flags.priority,
        capabilities=capabilities_to_dict(task.capabilities),
        stream_output=flags.stream_output,
    )


def _objects_deleted(instruction: ObjectInstruction) -> ObjectsDeleted | None:
    if instruction.instructionType != ObjectInstruction.ObjectInstructionType.delete:
        return None
    return ObjectsDeleted(tuple(bytes(each) for each in instruction.objectMetadata.objectIds))


def _object_created(notice: ResultNotice) -> ObjectInstruction:
    return ObjectInstruction(
        instructionType=ObjectInstruction.ObjectInstructionType.create,
        objectUser=ClientID(notice.client_id),
        objectMetadata=ObjectMetadata(
            objectIds=(ObjectID(notice.object_id),),
            objectTypes=(ObjectMetadata.ObjectContentType.object,),
            objectNames=(f"<res {notice.object_id.hex()[:6]}>".encode(),),
        ),
    )
