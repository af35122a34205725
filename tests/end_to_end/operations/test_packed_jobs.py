"""Jobs with several tasks: what loads slowly is loaded once a job, and an image that knows no packs runs each alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.running_engine import run_client, running_engine

TASKS: Final = 40
CLIENT: Final = """
class Slow:
    def __init__(self, folder):
        self.folder = folder
    def __setstate__(self, state):
        import os, time
        begun = time.process_time()
        while time.process_time() < begun + 0.1:  # longer than a load has to take for a template
            pass
        open(os.path.join(state["folder"], str(os.getpid())), "w").close()
        self.__dict__ = state
slow = Slow({folder!r})
def square(number):
    return slow and number * number
with Client(address=ADDRESS) as client:
    assert client.map(square, range({tasks})) == [number * number for number in range({tasks})]
"""
OLD_IMAGE: Final = """
import batch_job_runner
from batch_job_wire import payload_frames
from batch_job_wire.protocol import JobParameter, job_options
payload_frames._PACKED = 0  # a version that no frame has: it reads those up to 2
YOUNGER = ("pack", "timeout", "segments", "template")
def main(argv, environ, make_client):
    argv = list(argv)
    at = argv.index(JobParameter.OPTIONS.flag) + 1
    known = [one for one in argv[at].split(";") if one.partition("=")[0] not in YOUNGER]
    argv[at] = ";".join(known)
    return batch_job_runner.main(argv, environ, make_client)
"""


@pytest.mark.long
@pytest.mark.parametrize("template", ["on", "off"])
def test_what_loads_slowly_is_loaded_once_a_job_or_as_the_setting_says_once_a_task(
    log: Path, tmp_path: Path, template: str
) -> None:
    folder = tmp_path / "loads"
    folder.mkdir()
    with (
        LocalCluster(state_dir=tmp_path / "cluster") as cluster,
        running_engine(cluster, log, max_concurrent_jobs=2, pack=20, template=template) as engine,
    ):
        run_client(cluster, CLIENT.format(folder=str(folder), tasks=TASKS))
    loads = len(list(folder.iterdir()))
    assert loads <= TASKS // 2 if template == "on" else loads == TASKS, engine.log


@pytest.mark.long
def test_an_image_that_knows_no_packs_runs_each_task_in_a_job_of_its_own_and_it_is_said_once(
    log: Path, tmp_path: Path
) -> None:
    program = tmp_path / "old_runner.py"
    program.write_text(OLD_IMAGE)
    with (
        LocalCluster(state_dir=tmp_path / "cluster", program=f"{program}:main") as cluster,
        running_engine(cluster, log, max_concurrent_jobs=2, pack=10) as engine,
    ):
        script = f"""
        with Client(address=ADDRESS) as client:
            assert client.map(lambda number: number + 1, range({TASKS})) == list(range(1, {TASKS} + 1))
            assert client.submit(lambda: "later").result(timeout=60) == "later"
        """
        run_client(cluster, script)
    assert engine.log.count("can't run several tasks in one job") == 1, engine.log
