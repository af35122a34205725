"""Regular expressions of a filter, checked: a viewer's expression runs in the engine, over every job's texts.

Python's own matcher can take hours for an expression of ten characters. So the worst case is bounded before: no choice
and no repeat inside of a repeat, few of them in all, and only the beginning of a text is looked at.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

LONGEST: Final = 100
"""Characters of an expression."""
LOOKED_AT: Final = 200
"""Characters of a text."""
MOST_STEPS: Final = 100_000_000
"""Of the matcher for one text, in the worst case: about a second."""
SHORT_REPEAT: Final = 3
"""`?` and `{1,3}` are choices, not repeats."""
_REFUSED: Final = frozenset({op.GROUPREF, op.GROUPREF_EXISTS, op.ASSERT, op.ASSERT_NOT})
_REPEATS: Final = frozenset({op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT})


class QueryError(ValueError):
    """Refusal of a filter, an order or an id, in one sentence."""


def safe_search(name: str, text: str) -> Callable[[str], bool]:
    """Compile a regular expression (upper or lower case) to a search. Raises `QueryError`; `name` begins its text."""
    if not text:
        raise QueryError(f"{name} needs a value behind it, like {name}^price_")
    if len(text) > LONGEST:
        raise QueryError(f"{name} takes an expression of {LONGEST} characters at most, but this one has {len(text)}")
    try:
        with warnings.catch_warnings(action="ignore"):
            parsed, compiled = parser.parse(text), re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise QueryError(f"{name}{text} is no regular expression: {error}") from error
    _check(f"{name}{text}", parsed)
    return lambda found: compiled.search(found[:LOOKED_AT]) is not None


def _check(name: str, parsed: Any) -> None:
    """The steps are the text's length for each repeat and for the search, times the ways through the choices."""
    steps = LOOKED_AT
    for node, ways, inside in _nodes(parsed, False):
        if node in _REFUSED:
            raise QueryError(f"{name} looks back or ahead, which takes too long: leave that out")
        if ways > 1 and inside:
            raise QueryError(f"{name} has a repeat or a choice inside of a repeat, which takes too long: leave it out")
        steps *= ways
    if steps > MOST_STEPS:
        raise QueryError(f"{name} has too many repeats (* +) and choices (| ?): give two or three of them")


def _nodes(parsed: Any, inside: bool) -> Iterator[tuple[Any, int, bool]]:
    """Operations of an expression: the ways through each, and whether it is inside of a repeat."""
    for node, argument in parsed:
        ways, repeats = 1, False
        if node in _REPEATS:
            repeats = argument[1] > SHORT_REPEAT
            ways = LOOKED_AT if repeats else argument[1] - argument[0] + 1
        elif node is op.BRANCH:
            ways = len(argument[1])
        yield node, ways, inside
        for part in _parts(argument):
            yield from _nodes(part, inside or repeats)


def _parts(argument: Any) -> Iterator[Any]:
    """Expressions inside of an operation's argument, which is a tuple, a list or one of them."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for each in argument:
            yield from _parts(each)
