"""The recorded answers themselves: AWS's model knows every member, a source is named, and nothing is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from engine.aws.calls import operations
from engine.aws.calls.operations import Operation, check_answer
from engine.backends.batch.submit.object_renewal import GET_LIFECYCLE
from tests.support.paths import ROOT
from tests.support.recorded_answers import exchanges, file_of, model, name_of, recorded_operations

READING = re.compile(r'"((?:describe|list|get|head|simulate|batch_get)_[a-z0-9_]+)"')
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "long": int,
    "double": float,
    "float": float,
    "boolean": bool,
    "timestamp": datetime,
    "structure": dict,
    "list": list,
    "map": dict,
}
EACH = pytest.mark.parametrize(("service", "operation"), recorded_operations(), ids=str)


def called_operations() -> dict[str, str]:
    """Names of all reading methods of boto3 that the program calls, each with a module that does."""
    modules = [path for package in ("engine", "provisioner", "console") for path in (ROOT / package).rglob("*.py")]
    ours = [path for path in modules if "provisioner/local" not in path.as_posix()]
    return {name_of(method): path.name for path in ours for method in READING.findall(path.read_text())}


def test_every_operation_that_is_read_has_a_recorded_answer() -> None:
    recorded = {operation for _, operation in recorded_operations()}
    assert {name: where for name, where in called_operations().items() if name not in recorded} == {}


def test_no_answer_is_recorded_that_nothing_reads() -> None:
    assert {operation for _, operation in recorded_operations()} - called_operations().keys() == set()


@EACH
def test_its_sources_are_named(service: str, operation: str) -> None:
    assert json.loads(file_of(service, operation).read_text())["sources"]


@EACH
def test_the_service_model_knows_every_member_and_type(service: str, operation: str) -> None:
    shape = model(service, operation).output_shape
    assert shape is not None
    assert [wrong for one in exchanges(service, operation) for wrong in strangers(one.answer, shape)] == []


@EACH
def test_the_service_model_knows_every_parameter_of_its_requests(service: str, operation: str) -> None:
    shape = model(service, operation).input_shape
    known = set(shape.members) if shape is not None else set()
    assert {name for exchange in exchanges(service, operation) for name in exchange.request} <= known


def is_word_of(shape: Shape, value: str) -> bool:
    """In whatever case: AWS itself doesn't keep to its models there (`retry` for RETRY, `available` for Available)."""
    words = getattr(shape, "enum", [])
    return not words or value.lower() in {word.lower() for word in words}


def strangers(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Paths of what AWS can't have answered: members that the model lacks, values of another type, unlisted words."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for key, one in value.items():
            yield from (
                strangers(one, shape.members[key], f"{path}.{key}") if key in shape.members else [f"{path}.{key}"]
            )
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for index, one in enumerate(value):
            yield from strangers(one, shape.member, f"{path}[{index}]")
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for key, one in value.items():
            yield from strangers(one, shape.value, f"{path}.{key}")
    elif not is_of_type(value, shape) or (isinstance(value, str) and not is_word_of(shape, value)):
        yield f"{path}: {value!r}"


def is_of_type(value: Any, shape: Shape) -> bool:
    """botocore decodes IAM's policies, which are texts in the model."""
    return isinstance(value, TYPES[shape.type_name]) or "policyDocument" in shape.name


def test_a_member_that_the_model_lacks_and_an_unknown_word_are_seen() -> None:
    shape = model("batch", "DescribeJobQueues").output_shape
    assert shape is not None
    wrong = {"jobQueues": [{"jobQueueName": "q", "newest": 1, "state": "ON", "priority": "1"}]}
    assert list(strangers(wrong, shape)) == [
        ".jobQueues[0].newest",
        ".jobQueues[0].state: 'ON'",
        ".jobQueues[0].priority: '1'",
    ]


OURS = [one for one in vars(operations).values() if isinstance(one, Operation)]


@pytest.mark.parametrize(
    "operation",
    [one for one in (*OURS, GET_LIFECYCLE) if one.api in {name for _, name in recorded_operations()}],
    ids=lambda one: one.name,
)
def test_an_answer_has_what_the_engine_requires_of_it(operation: Operation) -> None:
    for exchange in exchanges(operation.service, operation.api):
        if exchange.answer:
            check_answer(operation, exchange.answer)
