"""A template's functions, worked out for one account as CloudFormation would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

NAME = re.compile(r"\$\{([\w:]+)\}")


def resolved(value: Any, references: Mapping[str, Any]) -> Any:
    """`references` by what is referred to: a logical id, a parameter, `AWS::Region`, or `Id.Attribute`.

    A condition is one of them, too: true or false.
    """
    match value:
        case {"Ref": name}:
            return references[name]
        case {"Fn::GetAtt": [name, attribute]}:
            return references[f"{name}.{attribute}"]
        case {"Fn::If": [name, yes, no]}:
            return resolved(yes if references[name] else no, references)
        case {"Fn::Sub": text}:
            return NAME.sub(lambda found: str(references[found[1]]), text)
        case dict():
            return {key: resolved(one, references) for key, one in value.items()}
        case list():
            return [resolved(one, references) for one in value]
    return value
