"""`python -P -m engine --settings JSON`: the engine as a process of its own. `scaler-batch run` starts it so.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration. SIGTERM or the first Ctrl-C ends it as `on_exit`
says (drain by default); the second leaves the jobs for adoption and exits. A worker manager that fails ends alone:
the others of the engine work on, and the exit code tells it at the end.
"""

# ruff: noqa: E402  # what is imported below is ours only once the names are

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import msgspec

import scaler_batch

scaler_batch.claim_names()

from engine.config.settings import EngineConfig, StopMode
from engine.errors import ConfigError, EngineError
from engine.jobs.registry import ENDED_KEPT, JobRegistry
from engine.logging_setup import configure_logging
from engine.tasks.tables import shared_tables
from engine.telemetry.server.service import telemetry
from engine.worker_manager import AWSHPCWorkerManager

logger = logging.getLogger("engine")


def main(arguments: Sequence[str]) -> int:
    """Run the engine that the command line describes. Returns its exit code."""
    try:
        config = _settings(arguments)
        configure_logging(config.logging_level, config.logging_paths, config.logging_config_file, os.environ)
        return _run(config)
    except EngineError as error:
        print(f"scaler-batch: {error}", file=sys.stderr)
        return error.exit_code


def _settings(arguments: Sequence[str]) -> EngineConfig:
    parser = argparse.ArgumentParser(prog="python -P -m engine")
    parser.add_argument("--settings", required=True, help="the resolved configuration as JSON")
    try:
        return msgspec.json.decode(parser.parse_args(arguments).settings, type=EngineConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--settings: {error}: expected what `scaler-batch run` makes") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"--settings is not JSON ({error}): expected what `scaler-batch run` makes") from error


def _run(config: EngineConfig) -> int:
    if config.event_loop == "uvloop":
        import uvloop

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run_managers(config))
    return asyncio.run(_run_managers(config))


async def _run_managers(config: EngineConfig) -> int:
    for note in config.notes:
        logger.info("%s", note)
    drain_timeout = config.drain_timeout_seconds or None
    ended_kept = ENDED_KEPT // len(config.managers)
    managers = [
        AWSHPCWorkerManager(each, drain_timeout, JobRegistry(each.worker_manager_id, ended_kept), tables)
        for each, tables in zip(config.managers, shared_tables(config.managers), strict=True)
    ]
    _stop_on_signals(managers, StopMode(config.on_exit))
    async with telemetry(config, managers, _version()):
        exit_codes = await asyncio.gather(*map(_run_manager, managers))
    return max(exit_codes)


async def _run_manager(manager: AWSHPCWorkerManager) -> int:
    """Run one to its end. What ends it is said at once, with its exit code; the others of the engine go on."""
    name = manager.config.worker_manager_id
    try:
        await manager.run()
    except EngineError as error:
        logger.error("worker manager %s ended: %s", name, error)
        manager.note_end(f"ended: {error}")
        return error.exit_code
    except Exception as error:
        logger.critical("worker manager %s broke", name, exc_info=error)
        manager.note_end(f"broke: {error!r}")
        return 1
    return 0


def _version() -> str:
    try:
        return version("scaler-batch")
    except PackageNotFoundError:  # run from the source tree
        return "unknown"


def _stop_on_signals(managers: Sequence[AWSHPCWorkerManager], mode: StopMode) -> None:
    def stop() -> None:
        for manager in managers:
            manager.stop(mode)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    # the interpreter would wait for threads that AWS keeps waiting, for up to a minute after the last word
    os._exit(exit_code)
