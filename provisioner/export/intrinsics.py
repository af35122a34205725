"""Intrinsic functions of CloudFormation, made of documents with AWS's pseudo parameters in them. Pure.

A `Stack` whose region, account and partition are `${AWS::…}` makes the same names and policies as a real one, with
these in their places; here they become `Fn::Sub`, and what names another resource becomes a reference to it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final

from provisioner.clients import Document
from provisioner.stack.naming import Stack

MAPS: Final = frozenset({"parameters", "tags", "options"})
"""Keys of Batch's documents whose values are people's own maps: their keys are no names of properties."""

SUBNETS: Final = "SubnetIds"
"""Parameter of the template, a list."""

References = Mapping[Hashable, object]
"""Values that stand for another resource or a parameter in a document, and functions or expressions for them."""


def anywhere(prefix: str) -> Stack:
    """Stack of a prefix in whatever account, region and partition the template is used."""
    return Stack("${AWS::Region}", prefix, "${AWS::AccountId}", "${AWS::Partition}", "${AWS::URLSuffix}")


def referring(value: object, references: References) -> object:
    """Document with references.

    Keys of `references` become its values, other strings with a pseudo parameter `Fn::Sub`.
    """
    if isinstance(value, Hashable) and value in references:
        return references[value]
    match value:
        case str():
            return {"Fn::Sub": value} if "${AWS::" in value else value
        case Mapping():
            return {key: referring(one, references) for key, one in value.items()}
        case list() | tuple():
            return [referring(one, references) for one in value]
    return value


def capitalized(value: object) -> object:
    """Document with Batch's lowerCamelCase names as CloudFormation writes them: the first letter in upper case."""
    if isinstance(value, Mapping):
        return {_capital(key): one if key in MAPS else capitalized(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [capitalized(one) for one in value]
    return value


def uncapitalized(value: object) -> object:
    """Document with names as Batch's API has them: the other way round."""
    if isinstance(value, Mapping):
        lowered = {key[:1].lower() + key[1:]: one for key, one in value.items()}
        return {key: one if key in MAPS else uncapitalized(one) for key, one in lowered.items()}
    if isinstance(value, list | tuple):
        return [uncapitalized(one) for one in value]
    return value


def properties_referring(properties: Document, references: References) -> Document:
    """Properties of a resource with references; its own name is no reference to anything."""
    return {key: referring(value, {} if key.endswith("Name") else references) for key, value in properties.items()}


def get_att(logical_id: str, attribute: str) -> Document:
    """Reference to an attribute of a resource."""
    return {"Fn::GetAtt": [logical_id, attribute]}


def ref(logical_id: str) -> Document:
    """Reference to a resource or a parameter."""
    return {"Ref": logical_id}


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]
