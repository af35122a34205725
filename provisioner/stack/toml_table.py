"""TOML table of a saved stack, as `scaler-batch run CONFIG.toml` reads it."""

from __future__ import annotations

import json
from typing import Final

from provisioner.stack.saved_state import Provisioned

SCHEDULER: Final = "tcp://127.0.0.1:8516"
OBJECT_STORAGE: Final = "tcp://127.0.0.1:8517"


def worker_manager_table(entry: Provisioned) -> str:
    """Text of one [[worker_manager]] of Scaler's TOML file; the addresses are this machine's, as in its examples."""
    values: dict[str, str | int] = {
        "type": "aws_hpc",
        "scheduler_address": SCHEDULER,
        "object_storage_address": OBJECT_STORAGE,
        "worker_manager_id": f"wm-{entry.prefix}",
        "job_queue": entry.job_queue,
        "job_definition": entry.job_definition,
        "s3_bucket": entry.bucket,
        "s3_prefix": entry.s3_prefix,
        "aws_region": entry.region,
        "job_timeout_minutes": entry.job_timeout_minutes,
    }
    # A basic string of TOML is written as one of JSON, and so is a whole number.
    return "".join(["[[worker_manager]]\n", *(f"{name} = {json.dumps(value)}\n" for name, value in values.items())])
