"""`scaler-batch local --containers` with a real engine: an image is built, pushed, pulled by digest, jobs run in it.

Nothing may be left of it but the engine's own cache of the build.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.console.local_program import LocalProgram, local_program
from tests.support.docker.engine import ContainerEngine, mounts_below

pytestmark = pytest.mark.long

MODULE = """
import os, time

time.sleep(0.6)  # long enough to load that a template pays
LOADED_BY = os.getpid()

def where():
    return __file__

def who():
    job = os.environ["AWS_BATCH_JOB_ID"], os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX")
    return job, LOADED_BY, os.getpid()
"""
CLIENT = """
import json, os, sys
from scaler import Client
sys.path.insert(0, "project")
import mine

def tell(number):
    import os
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    try:
        open("/written", "w")
        root = "writable"
    except OSError as error:
        root = error.strerror
    facts = {"root": root, "runner": os.path.exists("/app/batch_job_runner.py"), "checkout": os.path.exists(here)}
    return {"answer": number**2, "uid": os.getuid(), "CapEff": status["CapEff"].strip(), **facts}

def hoard():
    return len(bytearray(b"x") * 3 * 1024**3)

here = os.getcwd()
with Client(address=os.environ["SCALER_ADDRESS"]) as client:
    several = [client.submit(tell, number) for number in (7, 8)]
    failing, sent_along = client.submit(hoard), client.submit(mine.where)
    told = [future.result(timeout=60) for future in several]
    error, module = failing.exception(timeout=60), sent_along.result(timeout=60)
    many = [client.submit(mine.who) for _ in range(MANY)]
    processes = [future.result(timeout=120) for future in many]
    told = {"told": told, "kind": type(error).__name__, "error": str(error), "module": module, "processes": processes}
    print(json.dumps(told))
"""
FACTS = {"root": "Read-only file system", "uid": 65534, "CapEff": "0" * 16, "runner": True, "checkout": False}


@pytest.fixture
def program(tmp_path: Path) -> Iterator[LocalProgram]:
    with local_program(tmp_path) as program:
        yield program


SLOTS, MANY = 4, 60
"""So many more tasks than slots come at once that containers run several each."""
IMAGE_LIMIT_S = 400.0
"""An image is built first, out of packages that come from elsewhere."""


def test_functions_run_in_hardened_containers_alone_and_packed_and_nothing_is_left(
    program: LocalProgram, container_engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in container_engine.environ.items():
        monkeypatch.setenv(name, value)
    (program.folder / "client.py").write_text(CLIENT.replace("MANY", str(MANY)))
    (program.folder / "project").mkdir()
    (program.folder / "project" / "mine.py").write_text(MODULE)

    done = program.run(
        *("--containers", "--max-concurrent-jobs", str(SLOTS), "--code", "project", "--script", "client.py"),
        limit_s=IMAGE_LIMIT_S,
    )

    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["told"] == [{"answer": answer, **FACTS} for answer in (49, 64)]
    assert printed["kind"] == "MemoryError"
    assert "that the job has; give it more" in printed["error"]
    assert re.fullmatch("/tmp/scaler-batch-code-65534/[0-9a-f]{64}/0/mine.py", printed["module"])
    processes = [(tuple(job), loaded_by, process) for job, loaded_by, process in printed["processes"]]
    assert len(set(processes)) == MANY  # each task has one of its own
    assert len({job for job, _, _ in processes}) < MANY / 2
    assert max(Counter((job, loaded_by) for job, loaded_by, _ in processes).values()) > 1  # loaded once for several
    assert "image: push done, 127.0.0.1:" in done.stderr
    assert container_engine.docker("ps", "--all", "--quiet") == ""
    assert "127.0.0.1" not in container_engine.docker("images", "--digests")
    assert mounts_below(container_engine.storage) == []
    assert program.living() == []
    assert sorted(path.name for path in program.folder.iterdir()) == ["client.py", "project"]
