"""Resolution of an `EngineConfig` out of flags, environment and TOML file, in that order of precedence.

With several tables in the file, the environment only fills what a table leaves out, and flags name their
table by `--worker-manager-id`. Every wrong value is a `ConfigError` that names the key, the value, where it
stood and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine.config.parameters import (
    BY_NAME,
    PARAMETERS,
    WORKER_MANAGER_ID_PATTERN,
    Parameter,
    ParameterScope,
)
from engine.config.settings import TELEMETRY_AUTO, TELEMETRY_OFF, EngineConfig, ManagerConfig
from engine.config.sources import Document, Layer, read_environment, read_file, read_flags
from engine.errors import ConfigError

__all__ = ["PARAMETERS", "EngineConfig", "ManagerConfig", "Parameter", "resolve"]

_NO_FILE: Final = Document(tables=({},), notes=())


def find_boto3_region() -> str | None:
    """Read the region that boto3 itself would take (AWS_DEFAULT_REGION, then the profile's). Raises `ConfigError`."""
    # Imported here: it takes a tenth of a second, and most runs name their region.
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        region: str | None = Session().get_config_variable("region")
    except BotoCoreError as error:
        raise ConfigError(
            f"boto3's own configuration can't be used ({error}): correct AWS_PROFILE or ~/.aws/config, "
            "or give --aws-region."
        ) from error
    return region


def resolve(
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    toml_path: Path | None = None,
    *,
    default_region: Callable[[], str | None] = find_boto3_region,
) -> EngineConfig:
    """Resolve the configuration of one engine.

    `flags` maps parameter names (`max_concurrent_jobs`) to what the command line gave, as text or typed, None
    for what it didn't give. Raises `ConfigError`.
    """
    document = read_file(toml_path) if toml_path else _NO_FILE
    layers = _merge_layers(document.tables, read_environment(environ), read_flags(flags))
    managers = tuple(_manager(layer, default_region) for layer in layers)
    _check_distinct(managers)
    _check_reserved(managers)
    notes = (*document.notes, *_notes(layers, managers))
    shared = _merge_shared(layers)
    _check_telemetry(shared)
    return msgspec.convert({**shared, "managers": managers, "notes": notes}, EngineConfig)


def _merge_layers(tables: Sequence[Layer], environment: Layer, flags: Layer) -> tuple[Layer, ...]:
    """One layer a table, by precedence."""
    if len(tables) == 1:
        return ({**tables[0], **environment, **flags},)
    filled = [{**environment, **table} for table in tables]
    for_all = {name: given for name, given in flags.items() if _scope(name) is not ParameterScope.MANAGER}
    for_one = {name: given for name, given in flags.items() if name not in for_all}
    at = _find_flagged_table(filled, for_one)
    return tuple({**layer, **for_all, **(for_one if position == at else {})} for position, layer in enumerate(filled))


def _scope(name: str) -> ParameterScope:
    return BY_NAME[name].scope


def _find_flagged_table(layers: Sequence[Layer], flags: Layer) -> int | None:
    """Position of the table that a manager's flags are for; None without such flags."""
    if not flags:
        return None
    ids = [_manager_id(layer) for layer in layers]
    named = flags.get("worker_manager_id")
    if named is not None and named.value in ids:
        return ids.index(str(named.value))
    what = f"--worker-manager-id {named.value}" if named else next(iter(flags.values())).where
    raise ConfigError(
        f"{what} names none of the file's {len(ids)} worker managers: say which one the flags are for "
        f"with --worker-manager-id, one of {', '.join(ids)}."
    )


def _manager(layer: Layer, default_region: Callable[[], str | None]) -> ManagerConfig:
    _check_complete(layer)
    values = _parse_scope(layer, ParameterScope.MANAGER)
    values["worker_manager_id"] = _manager_id(layer)
    if "aws_region" not in values:
        values["aws_region"] = default_region() or BY_NAME["aws_region"].default
    config = msgspec.convert(values, ManagerConfig)
    enough = max(config.task_queue_size, 2 * config.max_concurrent_jobs)
    return msgspec.structs.replace(config, task_queue_size=enough)


def _check_complete(layer: Layer) -> None:
    missing = [p for p in PARAMETERS if p.required and p.name not in layer]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ConfigError(
            f"{', '.join(p.name for p in missing)} {verb} missing: give {', '.join(map(_describe_sources, missing))}, "
            "or the key in the file's [[worker_manager]] table."
        )


def _describe_sources(parameter: Parameter) -> str:
    if parameter.positional:
        return "the scheduler's address as the argument"
    return f"{parameter.flag} (or {parameter.environment})"


def _parse_scope(layer: Layer, scope: ParameterScope) -> dict[str, object]:
    """The values of a scope by their field's name."""
    parameters = (BY_NAME[name] for name in layer if _scope(name) is scope)
    return {parameter.target: _parse(parameter, layer) for parameter in parameters}


def _parse(parameter: Parameter, layer: Layer) -> object:
    given = layer[parameter.name]
    try:
        return parameter.kind.parse(given.value)
    except ValueError as error:
        raise ConfigError(f"{given.where} is {given.value!r}, but must be {parameter.kind.allowed}.") from error


def _manager_id(layer: Layer) -> str:
    """The given id, or a stable one from the queue's name: the same queue, the same manager."""
    if "worker_manager_id" in layer:
        return str(_parse(BY_NAME["worker_manager_id"], layer))
    _check_complete(layer)
    queue = str(_parse(BY_NAME["job_queue"], layer)).rpartition("/")[2]
    made = "batch-" + re.sub(r"[^A-Za-z0-9_-]", "-", queue)
    matched = re.match(WORKER_MANAGER_ID_PATTERN, made)
    return matched[0] if matched else made


def _check_distinct(managers: Sequence[ManagerConfig]) -> None:
    ids = [manager.worker_manager_id for manager in managers]
    for name in ids:
        if ids.count(name) > 1:
            raise ConfigError(
                f"worker_manager_id {name} is that of {ids.count(name)} tables of the file: give each its "
                "own worker_manager_id."
            )


def _check_reserved(managers: Sequence[ManagerConfig]) -> None:
    """A table is reserved among those of one scheduler in one file: another engine knows nothing of it."""
    for manager in managers:
        beside = [each for each in managers if each.scheduler_address == manager.scheduler_address]
        if all(each.reserved_for for each in beside):
            raise ConfigError(
                f"every table of the scheduler {manager.scheduler_address} is reserved_for something, so that nothing "
                "takes its other tasks: leave reserved_for out of one of them."
            )


def _merge_shared(layers: Sequence[Layer]) -> dict[str, object]:
    """Values of the whole engine; several tables must agree on them, because one process has one of each."""
    shared: dict[str, object] = {}
    for layer in layers:
        for target, value in _parse_scope(layer, ParameterScope.ENGINE).items():
            if shared.setdefault(target, value) != value:
                raise ConfigError(
                    f"{target} is {shared[target]!r} in one table of the file and {value!r} in another, but "
                    f"one engine runs them all: give one value, or {BY_NAME[target].flag}."
                )
    return shared


def _check_telemetry(shared: Mapping[str, object]) -> None:
    address = str(shared.get("telemetry", TELEMETRY_AUTO))
    if address not in (TELEMETRY_AUTO, TELEMETRY_OFF) and "telemetry_keys" not in shared:
        raise ConfigError(
            f"telemetry at {address} can be reached from elsewhere, so it needs keys: make them with `scaler-batch "
            "keys engine` and give --telemetry-keys."
        )


def _notes(layers: Sequence[Layer], managers: Sequence[ManagerConfig]) -> list[str]:
    notes: list[str] = []
    for layer, manager in zip(layers, managers, strict=True):
        ignored = _parse_scope(layer, ParameterScope.NO_EFFECT)
        notes += [f"{layer[name].where} is without effect: {BY_NAME[name].help}" for name in ignored]
        notes += _queue_note(layer, manager)
    return notes


def _queue_note(layer: Layer, manager: ManagerConfig) -> list[str]:
    given = layer.get("per_worker_task_queue_size")
    if given is None or int(str(given.value)) >= manager.task_queue_size:
        return []
    return [f"{given.where} is raised to {manager.task_queue_size}, twice the concurrent jobs, to keep them busy."]
