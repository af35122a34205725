"""Whether a policy allows what a call needs: IAM's rules for Allow statements, as far as our policies use them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cache
from re import Pattern, compile
from typing import Any

Policy = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Need:
    """One action on one resource; `context` has what condition keys stand for, lists as tuples."""

    action: str
    resource: str = "*"
    context: tuple[tuple[str, str | tuple[str, ...]], ...] = field(default=())

    @classmethod
    def of(cls, action: str, resource: str = "*", **context: str | tuple[str, ...]) -> Need:
        return cls(action, resource, tuple(sorted(context.items())))

    def with_context(self, context: Mapping[str, str | tuple[str, ...]]) -> Need:
        return Need(self.action, self.resource, tuple(sorted({**dict(self.context), **context}.items())))


def allows(policy: Policy, need: Need) -> bool:
    return any(_statement_allows(statement, need) for statement in policy["Statement"])


def without(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """The policy less one action of one statement, for each of them, with its name."""
    statements = policy["Statement"]
    for index, statement in enumerate(statements):
        for action in statement["Action"]:
            left = {**statement, "Action": [one for one in statement["Action"] if one != action]}
            name = f"{statement['Sid']} {action}"
            yield name, {**policy, "Statement": [*statements[:index], left, *statements[index + 1 :]]}


def _statement_allows(statement: Mapping[str, Any], need: Need) -> bool:
    assert statement["Effect"] == "Allow"
    context = dict(need.context)
    return (
        any(_like(pattern.lower(), need.action.lower()) for pattern in statement["Action"])
        and any(_like(pattern, need.resource) for pattern in statement["Resource"])
        and all(_holds(operator, keys, context) for operator, keys in statement.get("Condition", {}).items())
    )


def _holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, str | tuple[str, ...]]) -> bool:
    """A key that the request lacks fails the condition, but for ForAllValues, which then has nothing to compare."""
    for_all = operator.startswith("ForAllValues:")
    test = OPERATORS[operator.removeprefix("ForAllValues:")]
    for key, wanted in keys.items():
        patterns = [wanted] if isinstance(wanted, str) else wanted
        values = _many(context.get(key, ()))
        if not for_all and not values:
            return False
        if not all(any(test(pattern, value) for pattern in patterns) for value in values):
            return False
    return True


def _many(value: str | tuple[str, ...]) -> Iterable[str]:
    return (value,) if isinstance(value, str) else value


@cache
def _pattern(pattern: str) -> Pattern[str]:
    """IAM knows * and ?, and no sets in brackets."""
    return compile(translate(pattern.replace("[", "[[]")))


def _like(pattern: str, value: str) -> bool:
    return _pattern(pattern).match(value) is not None


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
}
