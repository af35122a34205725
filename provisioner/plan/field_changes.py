"""Differences between what lives and what is asked for, property by property."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provisioner.plan.model import FieldChange

Exact = frozenset[str]


def differences(
    found: object, desired: object, path: str = "", *, exact: Exact = frozenset()
) -> tuple[FieldChange, ...]:
    """Changes from what was found to what is desired, `path` being in front of theirs.

    Mappings are compared key by key, paths in dots; lists of one length item by item; all else as a whole. What is
    desired is a part of what is found: AWS adds defaults and read-only members to what it was sent, and shows as an
    empty list what it was not. The properties `exact` are documents that AWS keeps as they are: there more is a change.
    """
    return tuple(_differences(found, desired, path, exact))


def first_level(fields: tuple[FieldChange, ...]) -> frozenset[str]:
    """Names of the top-level properties among the changed paths."""
    return frozenset(_first_of(field.path) for field in fields)


def _first_of(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


def _differences(found: object, desired: object, path: str, exact: Exact) -> Iterator[FieldChange]:
    if isinstance(found, Mapping) and isinstance(desired, Mapping):
        more = found if _first_of(path) in exact else ()
        for key in sorted({*desired, *more}):
            yield from _differences(found.get(key), desired.get(key), f"{path}.{key}" if path else str(key), exact)
    elif isinstance(found, list) and isinstance(desired, list) and len(found) == len(desired):
        for index, (old, new) in enumerate(zip(found, desired, strict=True)):
            yield from _differences(old, new, f"{path}[{index}]", exact)
    elif found != desired and not (_is_nothing(found) and _is_nothing(desired)):
        yield FieldChange(path, found, desired)


def _is_nothing(value: object) -> bool:
    return value is None or (isinstance(value, list | Mapping) and not value)
