"""Differences between documents: by paths, down to what differs."""

from __future__ import annotations

import pytest

from provisioner.plan.field_changes import differences, first_level
from provisioner.plan.model import FieldChange


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({}, {}, ()),
        ({"a": 1}, {"a": 1}, ()),
        ({"a": 1}, {"a": 2, "b": 3}, (FieldChange("a", 1, 2), FieldChange("b", None, 3))),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, (FieldChange("a.b[1]", 2, 3),)),
        ({"a": [1]}, {"a": [1, 2]}, (FieldChange("a", [1], [1, 2]),)),
        ({"a": 1}, {"a": None}, (FieldChange("a", 1, None),)),
        ({"a": [1]}, {"a": []}, (FieldChange("a", [1], []),)),
    ],
)
def test_only_what_differs_is_a_change(before: object, after: object, changes: tuple[FieldChange, ...]) -> None:
    assert differences(before, after) == changes


def test_the_first_level_is_the_property_that_is_written() -> None:
    changes = differences({"a": {"b": 1}, "c": [1]}, {"a": {"b": 2}, "c": [2]})
    assert first_level(changes) == {"a", "c"}


@pytest.mark.parametrize(
    ("found", "desired"),
    [
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": [{"b": 1, "readOnly": 2}]}, {"a": [{"b": 1}]}),
        ({"a": []}, {"a": None}),
        ({}, {"a": []}),
        ({"a": {}}, {}),
    ],
)
def test_what_aws_adds_by_itself_and_empty_lists_are_no_change(found: object, desired: object) -> None:
    assert differences(found, desired) == ()


def test_more_in_a_document_that_is_kept_as_sent_is_a_change() -> None:
    found = {"policy": {"Statement": [{"Sid": "A", "Condition": 1}]}, "other": {"x": 1}}
    desired: object = {"policy": {"Statement": [{"Sid": "A"}]}, "other": {}}
    changes = differences(found, desired, exact=frozenset({"policy"}))
    assert changes == (FieldChange("policy.Statement[0].Condition", 1, None),)
