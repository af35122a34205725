"""Learns which calls the commands make, in order: `python -m tests.support.provisioner.faults.record`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from tests.support.provisioner.faults.commands import REGION, Commands, Ran
from tests.support.provisioner.faults.recorded import file_of
from tests.support.provisioner.faults.shared_session import SharedSession
from tests.support.provisioner.faults.world import put_data


def calls_of(aws: LocalAWS, command: Callable[[], Ran]) -> list[str]:
    """Raises `AssertionError` when the command fails: nothing is learned from that."""
    aws.reset_calls()
    ran = command()
    assert ran.exit_code == 0, ran
    return [name for _, name in aws.call_log()]


def write(command: str, calls: list[str]) -> None:
    file_of(command).write_text("\n".join(calls) + "\n")


def main() -> None:
    with LocalAWS(region=REGION) as aws, tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        commands = Commands("stack", Path(folder), SharedSession(aws.session()))
        write("provision", calls_of(aws, commands.provision))
        put_data(Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint), commands.prefix)
        write("cleanup", calls_of(aws, commands.cleanup))


if __name__ == "__main__":
    main()
