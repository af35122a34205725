"""Learns which calls the commands make, in order: `python -m tests.support.provisioner.faults.record`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import boto3
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
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    with LocalAWS(region=REGION) as aws, tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in aws.environment().items():
            patch.setenv(name, value)
        commands = Commands("stack", Path(folder), SharedSession(session))
        write("provision", calls_of(aws, commands.provision))
        put_data(Clients(REGION, session=session, endpoint_url=aws.endpoint), commands.prefix)
        write("cleanup", calls_of(aws, commands.cleanup))


if __name__ == "__main__":
    main()
