"""Sources of configuration values, each read into `GivenValue`s: flags, environment, TOML file.

Nothing is validated here but the shape of the file; a `GivenValue` remembers where it stood, so that an error
about it can say so.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.config.parameters import BY_NAME, PARAMETERS
from engine.errors import ConfigError

TABLE_TYPE: Final = "aws_hpc"


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value that a user gave, and where it stood."""

    value: object
    where: str


Layer = Mapping[str, GivenValue]
"""Parameter name to what one source, or several laid over each other, give for it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A TOML file's part for us: a layer for each table, and sentences on what isn't ours."""

    tables: tuple[Layer, ...]
    notes: tuple[str, ...]


def read_flags(flags: Mapping[str, object]) -> Layer:
    """Read flags by parameter name; None, and an empty list of a repeatable one, mean not given."""
    return {
        name: GivenValue(value, BY_NAME[name].flag)
        for name, value in flags.items()
        if value is not None and value != [] and value != ()
    }


def read_environment(environ: Mapping[str, str]) -> Layer:
    """Read the variables of the env file; an empty one is not given."""
    return {
        parameter.name: GivenValue(environ[parameter.environment], parameter.environment)
        for parameter in PARAMETERS
        if parameter.environment and environ.get(parameter.environment)
    }


def read_file(path: Path) -> Document:
    """Read the `[[worker_manager]]` tables of type aws_hpc in Scaler's own TOML file.

    Raises `ConfigError` when it can't be read, isn't TOML, has no such table, or one with an unknown key.
    """
    content = _load(path)
    managers = _tables(content.get("worker_manager", []), path)
    ours = [table for table in managers if table.get("type") == TABLE_TYPE]
    if not ours:
        raise ConfigError(
            f'{path} has no [[worker_manager]] table with type = "{TABLE_TYPE}": add one, or give '
            "the scheduler's address and flags instead of a file."
        )
    layers = tuple(_layer(table, f"{path}, table {at}") for at, table in enumerate(ours, start=1))
    return Document(layers, _foreign_tables_note(path, content, managers))


def _load(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"The configuration file {path} can't be read ({error.strerror}): give the path of a TOML file."
        ) from error
    except ValueError as error:
        raise ConfigError(f"The configuration file {path} is not TOML ({error}): correct it there.") from error


def _tables(found: object, path: Path) -> list[dict[str, object]]:
    tables = [found] if isinstance(found, dict) else found
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"worker_manager in {path} is not a table: write it as [[worker_manager]].")
    return tables


def _layer(table: Mapping[str, object], where: str) -> Layer:
    """Scaler takes hyphens for underscores in keys, and so do we."""
    named = {key.replace("-", "_"): (key, value) for key, value in table.items() if key != "type"}
    for name, (key, _) in named.items():
        if name not in BY_NAME:
            raise ConfigError(_unknown_key(key, name, where))
    return {name: GivenValue(value, f"{key} in {where}") for name, (key, value) in named.items()}


def _unknown_key(key: str, name: str, where: str) -> str:
    close = difflib.get_close_matches(name, BY_NAME, n=1)
    advice = f"did you mean {close[0]}?" if close else "see `scaler-batch run --help` for the keys."
    return f"{key} in {where} is not a key of an {TABLE_TYPE} worker manager: {advice}"


def _foreign_tables_note(
    path: Path, content: Mapping[str, object], managers: list[dict[str, object]]
) -> tuple[str, ...]:
    sections = [f"[{name}]" for name in content if name != "worker_manager"]
    others = [
        f"[[worker_manager]] of type {table.get('type')}" for table in managers if table.get("type") != TABLE_TYPE
    ]
    left = [*sections, *others]
    return (f"Left alone in {path}, not ours: {', '.join(left)}.",) if left else ()
