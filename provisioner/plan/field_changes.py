"""Differences between two documents, property by property."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from provisioner.plan.model import FieldChange


def differences(before: object, after: object, path: str = "") -> tuple[FieldChange, ...]:
    """Changes from `before` to `after`, `path` being in front of theirs.

    Mappings are compared key by key, paths in dots; lists of one length item by item; all else as a whole.
    """
    return tuple(_differences(before, after, path))


def first_level(fields: tuple[FieldChange, ...]) -> frozenset[str]:
    """Names of the top-level properties among the changed paths."""
    return frozenset(field.path.partition(".")[0].partition("[")[0] for field in fields)


def _differences(before: object, after: object, path: str) -> Iterator[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differences(old, new, f"{path}[{index}]")
    elif before != after:
        yield FieldChange(path, before, after)
