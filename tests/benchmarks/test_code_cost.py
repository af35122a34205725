"""What 5 MB of the user's own code cost the start of a job: in the runner, and from submit to result.

    pytest -m benchmark tests/benchmarks/test_code_cost.py -s

Figures are printed and not asserted. The bar: a job starts at most 0.3 s later.
"""

from __future__ import annotations

import resource
import statistics
import tempfile
import time
import uuid
from pathlib import Path

import pytest

from container.batch_job_wire.payload_forms import to_inline
from container.batch_job_wire.payload_frames import Blob, encode_payload
from container.batch_job_wire.protocol import WITH_CODE
from engine.code.archive import CodeArchive, pack_code
from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import run_client, running_engine
from tests.support.runner.client import DEFAULT_SERIALIZER, STORE, start_runner
from tests.support.runner.s3_stand_in import serve

pytestmark = pytest.mark.benchmark

MODULES, MODULE_BYTES = 500, 10_000
TIMES = 5
Cost = tuple[float, float]
CLIENT = """
import statistics, time
sys.path.insert(0, sys.argv[1])
import big
with Client(address=ADDRESS) as client:
    client.submit(big.nothing).result()
    seconds = []
    for _ in range(int(sys.argv[2])):
        started = time.monotonic()
        client.submit(big.nothing).result()
        seconds.append(time.monotonic() - started)
    print(statistics.median(seconds))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package = tmp_path / "big"
    package.mkdir()
    (package / "__init__.py").write_text("def nothing(): return None\n")
    for number in range(MODULES):
        (package / f"module_{number}.py").write_text(f"VALUE = {number}\n" + "#" * MODULE_BYTES)
    return package


def test_a_job_in_a_container_of_its_own(folder: Path) -> None:
    started = time.process_time()
    code = pack_code([str(folder)])
    packed_s = time.process_time() - started
    with serve() as s3, tempfile.TemporaryDirectory() as warm:
        s3.objects[f"/{STORE}/objects/{code.digest}"] = code.data
        runs: dict[str, list[Cost]] = {"without code": [], "with code": [], "unpacked before": []}
        _job(s3.endpoint, code, warm)
        for _ in range(TIMES):
            runs["without code"].append(_job(s3.endpoint, None, warm))
            with tempfile.TemporaryDirectory() as cold:
                runs["with code"].append(_job(s3.endpoint, code, cold))
            runs["unpacked before"].append(_job(s3.endpoint, code, warm))
    print(f"\n{len(code.data) / 1e6:.1f} MB in {code.files} files, packed in {packed_s:.2f} s of CPU")
    for name, costs in runs.items():
        wall, cpu = (statistics.median(one) for one in zip(*costs, strict=True))
        print(f"a job {name}: {wall:.3f} s, {cpu:.3f} s of CPU")


def _job(endpoint: str, code: CodeArchive | None, tmp: str) -> Cost:
    """Wall and CPU seconds of the runner with its task, which calls `math.gcd()`."""
    blobs = [Blob.of(DEFAULT_SERIALIZER), Blob.of(b"cmath\ngcd\n.")]
    text = to_inline(encode_payload([(uuid.uuid4().bytes, blobs)]))
    options = "region=us-east-1" + (f";code={code.digest}" if code else "")
    started, before = time.monotonic(), _cpu_s()
    process = start_runner(endpoint, uuid.uuid4().hex, (WITH_CODE if code else "") + text, options=options, TMPDIR=tmp)
    _, log = process.communicate(timeout=120)
    assert process.returncode == 0, log
    return time.monotonic() - started, _cpu_s() - before


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_task_from_submit_to_result(cluster: LocalCluster, folder: Path, tmp_path: Path) -> None:
    figures = {}
    for code in ((), (str(folder),)):
        with running_engine(cluster, tmp_path / "engine.log", code=code) as engine:
            engine.wait_for_log("scheduler: connected", 90)
            client = CLIENT if code else CLIENT.replace("import big", "import math as big; big.nothing = big.gcd")
            figures[bool(code)] = float(run_client(cluster, client, str(folder.parent), str(TIMES)))
    print(f"\na task without code {figures[False]:.3f} s, with it {figures[True]:.3f} s (fork server, unpacked once)")
