"""CURVE keys as files: an engine's own pair with the clients it lets in, and a client's pair with the engine's key.

Owns the two kinds of file and that they are readable by their owner alone (0600, folders 0700). An engine's folder
holds `engine.json` and `allowed/<name>.json`, one a client; a client's file goes to the machine it connects from.
"""

from __future__ import annotations

import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import zmq

from engine.errors import ConfigError

ENGINE_FILE: Final = "engine.json"
ALLOWED: Final = "allowed"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class KeyRole(StrEnum):
    """Permission of a client."""

    VIEW = "view"
    CONTROL = "control"
    """View too."""


class _Pair(msgspec.Struct, frozen=True):
    public: str
    secret: str


class _AllowedClient(msgspec.Struct, frozen=True):
    public: str
    role: KeyRole


class ClientKeys(msgspec.Struct, frozen=True):
    """Keys of a viewer for an engine behind `tcp://`. They are in ZMQ's own text form (Z85, 40 characters)."""

    name: str
    role: KeyRole
    public: str
    secret: str
    server_key: str
    """The engine's public key: it tells the engine from a process that only listens at its address."""

    @classmethod
    def load(cls, file: Path) -> ClientKeys:
        """Read a client's file. Raises `ConfigError` when it can't be read, is none, or can be read by others."""
        return _read(file, cls, f"made by scaler-batch keys client NAME --out {file}")


class EngineKeys(msgspec.Struct, frozen=True):
    """An engine's pair, and the clients it lets in: role by public key."""

    public: str
    secret: str
    allowed: dict[str, KeyRole]

    @classmethod
    def load(cls, folder: Path) -> EngineKeys:
        """Read an engine's folder. Raises `ConfigError`."""
        pair = _read(folder / ENGINE_FILE, _Pair, f"made by scaler-batch keys engine --out {folder}")
        return cls(pair.public, pair.secret, read_allowed(folder))


def read_allowed(folder: Path) -> dict[str, KeyRole]:
    """Read the clients that are let in at this moment: role by public key. Raises `ConfigError`."""
    files = sorted((folder / ALLOWED).glob("*.json"))
    clients = (_read(file, _AllowedClient, "made by scaler-batch keys client") for file in files)
    return {client.public: client.role for client in clients}


def make_engine_keys(folder: Path) -> str:
    """Make a pair in `folder`; returns the public key. Raises `ConfigError` when there is one already."""
    if (folder / ENGINE_FILE).exists():
        raise ConfigError(
            f"{folder / ENGINE_FILE} exists, and a new pair would shut its clients out: choose another --out"
        )
    for each in (folder, folder / ALLOWED):
        each.mkdir(mode=0o700, parents=True, exist_ok=True)
    public, secret = _new_pair()
    _write(folder / ENGINE_FILE, _Pair(public, secret))
    return public


def make_client_keys(name: str, role: KeyRole, engine: Path, out: Path) -> ClientKeys:
    """Make a pair in `out` for a client that the engine of the folder `engine` lets in. Raises `ConfigError`."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} is no name of a client: use up to 64 letters, digits, dots, dashes, underscores")
    allowed = engine / ALLOWED / f"{name}.json"
    for file in (allowed, out):
        if file.exists():
            raise ConfigError(f"{file} exists: delete it first, or choose another name")
    server = EngineKeys.load(engine)
    keys = ClientKeys(name, role, *_new_pair(), server.public)
    _write(out, keys)
    _write(allowed, _AllowedClient(keys.public, role))
    return keys


def _new_pair() -> tuple[str, str]:
    public, secret = zmq.curve_keypair()
    return public.decode(), secret.decode()


T = TypeVar("T", _Pair, _AllowedClient, ClientKeys)


def _read(file: Path, kind: type[T], origin: str) -> T:
    try:
        others_may = file.stat().st_mode & 0o077
        found = msgspec.json.decode(file.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError(f"key file {file} can't be read ({error.strerror}): expected one {origin}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is no key file: expected one {origin}") from error
    if others_may:
        raise ConfigError(f"key file {file} can be used by others on this machine: chmod 600 it, or make new keys")
    return found


def _write(file: Path, content: _Pair | _AllowedClient | ClientKeys) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
