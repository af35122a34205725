"""The tables of `docs/configuration.md`, made from the engine's own table of parameters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from console.cli.options import shown_default
from engine.config.parameters import PARAMETERS, Parameter


def reference() -> str:
    """All tables, one a group, as Markdown."""
    groups = groupby(PARAMETERS, key=lambda parameter: parameter.group)
    return "\n".join("\n".join(_table(group.value, parameters)) + "\n" for group, parameters in groups)


def _table(title: str, parameters: Iterator[Parameter]) -> Iterator[str]:
    yield f"**{title}**"
    yield ""
    yield "| parameter | default | meaning |"
    yield "|---|---|---|"
    for parameter in parameters:
        yield f"| {_names(parameter)} | {_default(parameter)} | {_meaning(parameter)} |"


def _names(parameter: Parameter) -> str:
    first = f"`{parameter.name.upper()}` (argument)" if parameter.positional else f"`{parameter.flag}`"
    names = (first, f"`{parameter.short}`" if parameter.short else "")
    return " ".join(filter(None, names))


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    return f"`{shown_default(parameter)}`" if shown_default(parameter) else ""


def _meaning(parameter: Parameter) -> str:
    choices = parameter.kind.choices if len(parameter.kind.choices) > 1 else ()
    allowed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    environment = f" Environment: `{parameter.environment}`." if parameter.environment else ""
    return f"{parameter.help}{allowed}{environment}".replace("|", r"\|").replace("<", "&lt;")
