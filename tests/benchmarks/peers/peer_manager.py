"""Scaler's own AWS manager of the pinned release, with the smallest patch that lets it start.

Its first heartbeat advertises `-1 * max_concurrent_jobs` tasks, which its own wire format refuses (OverflowError): it
ends at once. Here the -1 ("no limit") becomes 1; nothing else is changed.

    python -m tests.benchmarks.peers.peer_manager aws_hpc SCHEDULER --worker-manager-id ID …
"""

from __future__ import annotations

from typing import Any

from scaler.entry_points import worker_manager
from scaler.worker_manager.proxy.aws_batch import worker_manager as aws_batch
from scaler.worker_manager.runner import WorkerManagerRunner


def bounded_runner(*arguments: Any, max_provisioner_units: int, **named: Any) -> WorkerManagerRunner:
    """A runner as the peer makes it, with a number that can be sent."""
    return WorkerManagerRunner(*arguments, max_provisioner_units=max(max_provisioner_units, 1), **named)


if __name__ == "__main__":
    aws_batch.WorkerManagerRunner = bounded_runner
    worker_manager.main()
