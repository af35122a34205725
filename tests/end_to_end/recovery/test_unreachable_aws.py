"""AWS can't be reached for half a minute, its name unknown or its port closed: waited out, without a hot loop."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from provisioner.local.cluster import LocalCluster
from tests.support.cluster.clients import client_in_two_halves
from tests.support.cluster.running_engine import await_condition, only_lease_left, running_engine
from tests.support.cluster.tcp_proxy import Relay

pytestmark = pytest.mark.long

OUTAGE_S = 30.0
CALLS_AT_MOST = 300
NAME = "local-aws"

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
    with (
        network(cluster, tmp_path / "network") as way,
        running_engine(cluster, log, environ=way.environ, worker_manager_id="wm-away") as engine,
        client_in_two_halves(cluster, engine, tmp_path) as client,
    ):
        connects = way.connects
        way.fail(how)
        client.send_second_half()
        with pytest.raises(subprocess.TimeoutExpired):
            client.process.wait(OUTAGE_S)
        connects = way.connects - connects
        way.recover(how)
        client.finish(60)
        await_condition(lambda: only_lease_left(cluster, "wm-away"), 30, lambda: engine.log)
    assert client.calls == client.once_each
    assert 0 < connects <= CALLS_AT_MOST
