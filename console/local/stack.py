"""Stack of a living `scaler-batch local`: saved in a private folder of its own, found by its AWS's endpoint.

A viewer of an engine knows its endpoint, and by it this stack; so a stack of a real account that is saved in the
current folder is never taken for it, nor the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from engine.telemetry.endpoints import claim_folder, is_claimed, runtime_folder

if TYPE_CHECKING:
    from provisioner.stack.saved_state import Provisioned

CONFIG: Final = "config.json"
ENV: Final = "stack.env"
AWS: Final = "aws.json"


class LocalStack(msgspec.Struct, frozen=True):
    """Files and variables of a local stack.

    `config` and `env_file`: as the commands of the provisioner take them; `aws`: variables that lead to its AWS.
    """

    config: Path
    env_file: Path
    aws: dict[str, str]


def find_local_stack(endpoint: str) -> LocalStack | None:
    """Find the stack of the local AWS at `endpoint`; None: no `scaler-batch local` of this user is there."""
    if (name := _name(endpoint)) is None:
        return None
    folder = runtime_folder() / name
    if not is_claimed(folder):
        return None
    try:
        aws = msgspec.json.decode((folder / AWS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):  # it starts or ends just now
        return None
    return LocalStack(folder / CONFIG, folder / ENV, aws)


@contextmanager
def saved_local_stack(aws: Mapping[str, str], provisioned: Provisioned) -> Iterator[None]:
    """Save a stack, so that it can be found meanwhile. Raises `EngineError`.

    `aws`: variables that lead to it, its endpoint among them.
    """
    from provisioner.stack.private_files import write
    from provisioner.stack.saved_state import save

    name = _name(aws["AWS_ENDPOINT_URL"])
    assert name is not None
    with claim_folder(name) as claimed:
        save(provisioned, claimed.folder / CONFIG, claimed.folder / ENV)
        write(claimed.folder / AWS, msgspec.json.encode(aws).decode())
        yield


def _name(endpoint: str) -> str | None:
    """Name the folder of a local AWS, which is always on loopback."""
    address = urlsplit(endpoint)
    return f"local-aws-{address.port}" if address.hostname == "127.0.0.1" and address.port else None
