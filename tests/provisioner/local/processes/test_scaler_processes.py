"""Scaler's own programs on loopback: their ports, and what happens when another process has one of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.asked_capabilities import MONITOR_PORT_OFFSET
from provisioner.local.processes import scaler_processes
from provisioner.local.processes.scaler_processes import (
    LocalScaler,
    PortTakenError,
    first_ephemeral_port,
    listening_ports,
    listens,
    ports_side_by_side,
)


@pytest.fixture
def others_port() -> Iterator[int]:
    """A port on which this process listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_ports_are_side_by_side_and_none_that_a_connection_gets_by_chance() -> None:
    ports = ports_side_by_side(3)
    assert ports == list(range(ports[0], ports[0] + 3))
    assert ports[-1] < first_ephemeral_port()
    assert not any(map(listens, ports))


def test_whose_a_listening_port_is_can_be_told(others_port: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert others_port in listening_ports(os.getpid())
        assert others_port not in listening_ports(other.pid)
        other.kill()


@pytest.mark.long
@pytest.mark.parametrize("place", range(3), ids=["scheduler", "storage", "monitor"])
def test_a_port_that_another_process_has_is_given_up_for_others(place: int, others_port: int, tmp_path: Path) -> None:
    taken = ports_side_by_side(3)
    taken[place] = others_port
    choices = [taken, ports_side_by_side(3)]
    scaler = LocalScaler(os.environ, tmp_path, choose=lambda count: choices.pop(0))
    try:
        scaler.launch()
        scaler.wait_ready()
        assert choices == []
        port = int(scaler.scheduler_address.rpartition(":")[2])
        assert port != taken[0]
        assert scaler.monitor_address == f"tcp://127.0.0.1:{port + MONITOR_PORT_OFFSET}"
    finally:
        scaler.stop()


@pytest.mark.long
def test_after_some_tries_it_is_an_error(others_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaler_processes, "TRIES", 2)
    tried: list[int] = []

    def choose(count: int) -> list[int]:
        tried.append(count)
        scheduler, _, monitor = ports_side_by_side(count)
        return [scheduler, others_port, monitor]

    scaler = LocalScaler(os.environ, tmp_path, choose=choose)
    with pytest.raises(PortTakenError):
        scaler.launch()
    scaler.stop()
    assert len(tried) == 2
