"""Typer options made from `engine.config.resolve.PARAMETERS`, so that the command line is no second list.

Every option is taken as text (a switch as a flag): `engine.config.resolve.resolve` parses flags, environment and file
alike, and its errors name the key.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import typer

from engine.config.parameters import Parameter

Command = Callable[..., None]


def shown_default(parameter: Parameter) -> str:
    """Default as `--help` and the documentation show it; empty where there is none."""
    default = parameter.default
    if default is None or default == {} or default == ():
        return ""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return f"{default:g}" if isinstance(default, float) else str(default)


def with_options(parameters: Iterable[Parameter]) -> Callable[[Command], Command]:
    """Decorator that replaces a command's `**flags` by one keyword an option."""

    def decorate(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)
        kept = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        made = [_option(parameter) for parameter in parameters]
        command.__signature__ = own.replace(parameters=[*kept, *made])  # type: ignore[attr-defined]
        return command

    return decorate


def _option(parameter: Parameter) -> inspect.Parameter:
    annotation, metavar = _annotation(parameter)
    option: Any = typer.Option(
        None,
        *filter(None, (parameter.flag, parameter.short)),
        help=_help(parameter),
        metavar=metavar,
        rich_help_panel=parameter.group.value,
        show_default=False,
    )
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(parameter.name, keyword_only, default=option, annotation=annotation)


def _annotation(parameter: Parameter) -> tuple[Any, str | None]:
    if parameter.kind.is_switch:
        return bool | None, None
    return (list[str] | None if parameter.kind.repeatable else str | None), parameter.kind.metavar


def _help(parameter: Parameter) -> str:
    marks = (
        "|".join(parameter.kind.choices) if len(parameter.kind.choices) > 1 else "",
        f"default: {shown_default(parameter)}" if shown_default(parameter) else "",
        f"env: {parameter.environment}" if parameter.environment else "",
        "required" if parameter.required else "",
    )
    text = " ".join((parameter.help, *(f"[{mark}]" for mark in marks if mark)))
    return text.replace("[", r"\[")  # Rich reads an opening bracket as the beginning of a style
