"""AWS can't be reached for half a minute, its name unknown or its port closed: waited out, without a hot loop."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.end_to_end.relay import Relay
from tests.end_to_end.support import await_condition, call_counts, client_process, only_lease_left, running_engine

pytestmark = pytest.mark.long

OUTAGE_SECONDS = 30.0
CALLS_AT_MOST = 300
TASKS = 12
NAME = "local-aws"

CLIENT = """
import time
def work(n, folder, seconds):
    with open(os.path.join(folder, f"{{n:02}}"), "a") as calls:
        calls.write("called\\n")
    time.sleep(seconds)
    return n * n
with Client(address=ADDRESS) as client:
    before = [client.submit(work, n, {folder!r}, 4) for n in range({half})]
    while len(os.listdir({folder!r})) < {half}:
        time.sleep(0.05)
    open({ready!r}, "w").close()
    while os.path.exists({ready!r}):
        time.sleep(0.05)
    after = [client.submit(work, n, {folder!r}, 0) for n in range({half}, {tasks})]
    assert [one.result(timeout=120) for one in before + after] == [n * n for n in range({tasks})]
"""

# What the engine's Python imports at its start: the resolver of a machine whose DNS the test holds in its hands.
RESOLVER = """
import os, socket
_real = socket.getaddrinfo
def getaddrinfo(host, *arguments, **options):
    if host == {name!r}:
        with open({asked!r}, "a") as asked:
            asked.write("asked\\n")
        if os.path.exists({unknown!r}):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host = "127.0.0.1"
    return _real(host, *arguments, **options)
socket.getaddrinfo = getaddrinfo
"""


@dataclass(frozen=True)
class Network:
    """The engine's way to AWS: a name that a resolver of its own knows, and a port that a relay holds open."""

    folder: Path
    relay: Relay

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            "PYTHONPATH": os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")]),
            "AWS_CONFIG_FILE": str(self.folder / "aws-config"),
            "AWS_ENDPOINT_URL": f"http://{NAME}:{self.relay.port}",
        }

    @property
    def connects(self) -> int:
        """How often the engine set out to connect: each time it asks for the name first."""
        return len((self.folder / "asked").read_text().splitlines())

    def fail(self, how: str) -> None:
        if how == "unknown name":
            (self.folder / "unknown").touch()
        self.relay.cut()
        if how == "unknown name":
            self.relay.restore()

    def recover(self, how: str) -> None:
        if how == "unknown name":
            (self.folder / "unknown").unlink()
        else:
            self.relay.restore()


@contextmanager
def network(cluster: LocalCluster, folder: Path) -> Iterator[Network]:
    folder.mkdir()
    names = {"name": NAME, "asked": str(folder / "asked"), "unknown": str(folder / "unknown")}
    (folder / "sitecustomize.py").write_text(RESOLVER.format(**names))
    (folder / "aws-config").write_text("[default]\ns3 =\n  addressing_style = path\n")
    with Relay(cluster.aws.endpoint) as relay:
        yield Network(folder, relay)


@pytest.mark.parametrize("how", ["refused connection", "unknown name"])
def test_half_a_minute_without_a_way_to_aws_fails_no_task_and_runs_none_twice(
    cluster: LocalCluster, log: Path, tmp_path: Path, how: str
) -> None:
    folder, ready = tmp_path / "calls", tmp_path / "ready"
    folder.mkdir()
    script = CLIENT.format(folder=str(folder), ready=str(ready), tasks=TASKS, half=TASKS // 2)
    with (
        network(cluster, tmp_path / "network") as way,
        running_engine(cluster, log, environ=way.environ, worker_manager_id="wm-away") as engine,
    ):
        client = client_process(cluster, script)
        try:
            await_condition(ready.exists, 30, lambda: engine.log)
            connects = way.connects
            way.fail(how)
            ready.unlink()
            with pytest.raises(AssertionError, match="not within"):
                await_condition(lambda: client.poll() is not None or engine.process.poll() is not None, OUTAGE_SECONDS)
            connects = way.connects - connects
            way.recover(how)
            output, errors = client.communicate(timeout=60)
        finally:
            client.kill()
            client.communicate()
        assert client.returncode == 0, f"{output}\n{errors}\n{engine.log}"
        await_condition(lambda: only_lease_left(cluster, "wm-away"), 60, lambda: engine.log)
    assert call_counts(folder) == [1] * TASKS
    assert 0 < connects <= CALLS_AT_MOST
