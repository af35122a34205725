"""Telemetry service of one engine process: it begins before the managers run and ends after them.

Whatever goes wrong in here is logged once and costs no task.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final

import zmq

from engine.aio import cancel_and_wait
from engine.config.settings import TELEMETRY_AUTO, TELEMETRY_OFF, EngineConfig
from engine.errors import ConfigError, EngineError
from engine.telemetry.endpoints import ClaimedFolder, Endpoint, claim_folder
from engine.telemetry.keys import KeyRole
from engine.telemetry.recording import Recorder
from engine.telemetry.schema.messages import Snapshot
from engine.telemetry.server.auth import CurveAuthenticator
from engine.telemetry.server.control_answers import ControlAnswers
from engine.telemetry.server.logs.log_recorder import LogRecorder
from engine.telemetry.server.logs.streams import LogStreamResolver
from engine.telemetry.server.logs.watch import LogWatch
from engine.telemetry.server.publisher import Publisher
from engine.telemetry.server.rate_limit import RateLimiter, Viewers
from engine.telemetry.server.request_server import RequestServer
from engine.telemetry.server.snapshot_builder import Manager, SnapshotBuilder
from engine.telemetry.server.sockets import Sockets
from engine.telemetry.server.view_answers import ViewAnswers
from engine.telemetry.server.vitals import Vitals

logger = logging.getLogger(__name__)

RESTART_S: Final = 5.0
SCRAPE_TIMEOUT_S: Final = 5.0

Loop = Callable[[], Coroutine[None, None, None]]


@contextlib.asynccontextmanager
async def telemetry(config: EngineConfig, managers: Sequence[Manager], version: str) -> AsyncIterator[None]:
    """Serve what `--telemetry`, `--record` and `--metrics-port` ask for, as long as the block lasts.

    Raises `EngineError` for what was asked for and can't be had; default sockets that can't be had are done without.
    """
    async with contextlib.AsyncExitStack() as stack:
        if config.record_logs and config.record is None:
            raise ConfigError("--record-logs needs a recording to put them in: give --record FILE, too")
        builder = SnapshotBuilder(managers, Vitals(version))
        recorder = _recorder(stack, config.record) if config.record is not None else None
        sockets = await _sockets(stack, config, version)
        publisher = Publisher(uuid.uuid4().hex, builder, sockets.publish if sockets else None, recorder)
        if config.metrics_port is not None:
            _serve_metrics(stack, config.metrics_port, builder)
        logs = LogWatch(LogStreamResolver(builder))
        loops: list[Loop] = [publisher.run, logs.run]
        if recorder is not None and config.record_logs:
            loops.append(LogRecorder(logs, builder.rows, recorder).run)
        if sockets is not None:
            loops += _request_loops(sockets, builder, publisher, logs)
        supervisors = [asyncio.create_task(_supervise(loop)) for loop in loops]
        stack.push_async_callback(cancel_and_wait, supervisors)
        yield


def _recorder(stack: contextlib.AsyncExitStack, path: str) -> Recorder:
    try:
        return stack.enter_context(contextlib.closing(Recorder(Path(path))))
    except OSError as error:
        raise ConfigError(f"--record {path} can't be written ({error.strerror}): give another path") from error


async def _sockets(stack: contextlib.AsyncExitStack, config: EngineConfig, version: str) -> Sockets | None:
    if config.telemetry == TELEMETRY_OFF:
        return None
    managers = tuple(manager.worker_manager_id for manager in config.managers)
    if config.telemetry != TELEMETRY_AUTO:
        return await _remote_sockets(stack, config, managers, version)
    try:
        claimed = stack.enter_context(claim_folder(managers[0]))
        sockets = Sockets(Endpoint.ipc(claimed.folder), None)
        claimed.write_info(managers, version)
    except (EngineError, OSError) as error:
        logger.warning("no viewer can connect to this engine: %s", error)
        return None
    stack.push_async_callback(sockets.close)
    return sockets


async def _remote_sockets(
    stack: contextlib.AsyncExitStack, config: EngineConfig, managers: tuple[str, ...], version: str
) -> Sockets:
    if config.telemetry_keys is None:
        raise ConfigError("--telemetry tcp:// needs --telemetry-keys: make them with scaler-batch keys engine")
    sockets = Sockets(Endpoint.tcp(config.telemetry), CurveAuthenticator(Path(config.telemetry_keys)))
    stack.push_async_callback(sockets.close)
    try:  # so that it is found on this machine
        claimed: ClaimedFolder = stack.enter_context(claim_folder(managers[0]))
        claimed.write_info(managers, version, config.telemetry)
    except (EngineError, OSError) as error:
        logger.warning("this engine is found by its address only: %s", error)
    return sockets


def _request_loops(sockets: Sockets, builder: SnapshotBuilder, publisher: Publisher, logs: LogWatch) -> list[Loop]:
    rate_limiter, viewers = RateLimiter(), Viewers()
    builder.viewers = viewers.count
    authenticator = sockets.authenticator

    def may_control(frame: zmq.Frame) -> bool:
        return authenticator is None or authenticator.role_of(frame) is KeyRole.CONTROL

    view = ViewAnswers(builder, publisher, logs, rate_limiter, may_control)
    control = ControlAnswers(builder, may_control)
    return [
        RequestServer(sockets.view, view.answer, rate_limiter, viewers.note).run,
        # not counted: a console that controls is a viewer, too
        RequestServer(sockets.control, control.answer, rate_limiter, lambda _: None).run,
    ]


def _serve_metrics(stack: contextlib.AsyncExitStack, port: int, builder: SnapshotBuilder) -> None:
    # Imported here: it takes time and memory, and few use it.
    from engine.telemetry.server.metrics import MetricsServer

    loop = asyncio.get_running_loop()

    async def snapshot() -> Snapshot:
        return builder.snapshot()

    def read() -> Snapshot | None:
        """On a thread of the server's."""
        return asyncio.run_coroutine_threadsafe(snapshot(), loop).result(SCRAPE_TIMEOUT_S)

    server = MetricsServer(port, read)
    stack.push_async_callback(asyncio.to_thread, server.close)


async def _supervise(run: Loop) -> None:
    """Run it for ever: a defect of telemetry is reported once, then it is tried again, and the managers go on."""
    reported: set[str] = set()
    while True:
        running = asyncio.create_task(run())
        try:
            await asyncio.wait({running})
        finally:
            await cancel_and_wait([running])
        error = running.exception()
        if type(error).__name__ not in reported:
            reported.add(type(error).__name__)
            logger.error("telemetry: a part of it broke and is started again", exc_info=error)
        await asyncio.sleep(RESTART_S)
