"""CPU of a job's own: a fresh process with boto3's client and with the light one, and an entry of a pack.

python -m pytest tests/benchmarks/test_job_cost.py -m benchmark -s

The entries of a pack also with a function that imports a library at its module's level, without and with a template:
numpy where it is installed, else what the runner's own Python has that takes as long to import.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import statistics
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from container.batch_job_wire.payload_forms import to_inline
from container.batch_job_wire.payload_frames import encode_payload
from container.batch_job_wire.protocol import results_prefix
from tests.support.runner.client import STORE, payload, start_runner
from tests.support.runner.packs import by_value
from tests.support.runner.s3_stand_in import S3StandIn, serve

pytestmark = pytest.mark.benchmark

ROUNDS: Final = int(os.environ.get("ROUNDS", "10"))
PACK: Final = 100
BOTO3: Final[Mapping[str, str]] = {"AWS_CONFIG_FILE": os.devnull}
"""A configuration file is what the light client leaves to boto3."""
LIBRARY: Final = "numpy" if importlib.util.find_spec("numpy") else "botocore.session"


def test_cpu_of_a_job(capsys: pytest.CaptureFixture[str]) -> None:
    with serve() as s3:
        rounds = [(cpu_of_job(s3, 1, BOTO3), cpu_of_job(s3, 1, {}), cpu_of_job(s3, PACK, {})) for _ in range(ROUNDS)]
    full, light, packed = ([one[kind] for one in rounds] for kind in range(3))
    more = [(many - one) / (PACK - 1) for many, one in zip(packed, light, strict=True)]
    with capsys.disabled():
        for name, values in (("boto3's client", full), ("light client", light), ("further entry of a pack", more)):
            spread = f"{min(values) * 1000:.0f} to {max(values) * 1000:.0f}"
            print(f"\nCPU, {name}: median {statistics.median(values) * 1000:.0f} ms ({spread})", end="")
        ratio = statistics.median(one / other for one, other in zip(light, full, strict=True))
        print(f"\nlight / boto3: {ratio:.2f} (bar: 0.60)")


def test_cost_of_a_packed_task_without_and_with_a_template(capsys: pytest.CaptureFixture[str]) -> None:
    functions = {
        "no-op": bool,
        f"import {LIBRARY}": by_value(f"import {LIBRARY} as library\ndef f(): return bool(library)"),
    }
    spec = importlib.util.find_spec(LIBRARY.partition(".")[0])
    assert spec is not None
    site = str(Path(str(spec.origin)).parents[1])
    with serve() as s3:
        for name, function in functions.items():
            for template in ("", ";template=1") * 2:
                began = time.monotonic()
                cpu = cpu_of_job(s3, PACK, {"PYTHONPATH": site}, function, f";segments=1{template}")
                rate = PACK / (time.monotonic() - began)
                with capsys.disabled():
                    form = "template" if template else "each loads"
                    print(f"\n{name}, {form}: {rate:.1f} tasks/s, {cpu / PACK * 1000:.1f} ms of CPU a task", end="")


def cpu_of_job(
    s3: S3StandIn, entries: int, environ: Mapping[str, str], function: object = bool, more: str = ""
) -> float:
    """Seconds of a job's processes, of one that does nothing."""
    submission, secret = uuid.uuid4().hex, os.urandom(32)
    tasks = [(os.urandom(16), payload(function, ())) for _ in range(entries)]
    frame = encode_payload(tasks, secret=secret, is_packed=entries > 1)
    options = "region=us-east-1" + (f";pack={entries}{more}" if entries > 1 else "")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start_runner(s3.endpoint, submission, to_inline(frame), options=options, **environ)
    _, log = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == 0, log
    assert any(path.startswith(f"/{STORE}/{results_prefix(submission)}") for path in s3.objects)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
