"""Scaler's native worker manager, with an engine of ours inside: for processes in which `tests` is Scaler's package.

So nothing of our own is imported from there. It is loaded before the forks of the plugin `peer_combo`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
from typing import Any, Final

import scaler_batch

scaler_batch.claim_names()

from scaler.config.section.native_worker_manager import NativeWorkerManagerConfig  # noqa: E402
from scaler.worker_manager.native.worker_manager import NativeWorkerManager  # noqa: E402

import engine.__main__  # noqa: E402

BESIDE_NATIVE_WORKERS: Final = ("test_balance_cancel_worker_death", "test_balance_cancel_worker_socket_closed")
"""Tests in which the scheduler moves tasks from the combo's worker to two others: what else they start stays native."""
PLACE: Final = "PEER_PLACE"
"""Variable with JSON: `manager` and `gpu_manager` (values of a `ManagerConfig`), and `results` (a file)."""


class EngineManager(NativeWorkerManager):  # type: ignore[misc]  # Scaler's types are not read
    """Worker manager of a test: an engine on the local AWS, with one slot for one worker, else with many.

    What no manager but Scaler's own has (a preload in each worker) stays with that.
    """

    def __init__(self, config: NativeWorkerManagerConfig) -> None:
        super().__init__(config)
        test = os.environ.get("PYTEST_CURRENT_TEST", "")
        is_beside = config.worker_manager_config.worker_manager_id != "combo"
        self._is_native = is_beside and any(name in test for name in BESIDE_NATIVE_WORKERS)

    def run(self) -> None:
        """Work until a signal comes, and end the process."""
        if self._is_native or self.config.worker_config.preload is not None:
            super().run()
        elif self.config.worker_manager_config.max_task_concurrency == 0:
            signal.pause()
        else:
            arguments = ["--settings", json.dumps(_settings(self.config))]
            code = engine.__main__.main(arguments)
            logging.shutdown()
            os._exit(code)


SLOTS: Final = 100
"""For some workers: they are processes that are there, and take task after task; a job that is new takes longer."""


def _settings(config: NativeWorkerManagerConfig) -> dict[str, Any]:
    wanted, worker = config.worker_manager_config, config.worker_config
    capabilities = dict(worker.per_worker_capabilities.capabilities)
    manager = {
        **json.loads(os.environ[PLACE])["gpu_manager" if "gpu" in capabilities else "manager"],
        "scheduler_address": repr(wanted.scheduler_address),
        "worker_manager_id": f"peer-{os.getpid()}",
        "max_concurrent_jobs": 1 if wanted.max_task_concurrency == 1 else SLOTS,
        "capabilities": capabilities,
        "task_queue_size": worker.per_worker_task_queue_size,
        "heartbeat_interval_seconds": worker.heartbeat_interval_seconds,
        "death_timeout_seconds": worker.death_timeout_seconds,
        "join": "always",
    }
    return {"managers": [manager], "on_exit": "terminate", "logging_paths": config.logging_config.paths}
