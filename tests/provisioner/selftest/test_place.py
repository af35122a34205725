"""Places of a selftest: resources of somebody else's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from engine.errors import ConfigError
from provisioner.selftest.place import GivenResources, _given_target


class Account:
    """An account with a queue, and a definition in whatever order AWS lists its revisions."""

    region = "us-east-1"

    def __init__(self) -> None:
        self.asked: list[Mapping[str, object]] = []

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        return {"jobQueues": [{}]}

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[dict[str, Any]]:
        self.asked.append(parameters)
        needs = {1: "1", 3: "4", 2: "2"}
        return [
            {"revision": number, "containerProperties": {"resourceRequirements": [{"type": "VCPU", "value": vcpus}]}}
            for number, vcpus in needs.items()
        ]


ARN = "arn:aws:batch:us-east-1:123456789012:job-definition/team-job:2"


@pytest.mark.parametrize(("definition", "vcpus"), [("team-job", 4.0), ("team-job:1", 1.0), (ARN, 2.0)])
def test_the_size_of_jobs_is_that_of_the_revision_that_they_get(definition: str, vcpus: float) -> None:
    account = Account()
    target = _given_target(cast("Any", account), GivenResources("queue", definition, "bucket"))
    assert target.vcpus == vcpus
    assert account.asked == [{"jobDefinitionName": "team-job", "status": "ACTIVE"}]


def test_a_directory_bucket_is_refused_in_one_sentence() -> None:
    given = GivenResources("queue", "definition", "fast--use1-az4--x-s3")
    with pytest.raises(ConfigError, match="is a directory bucket: give a general purpose bucket") as refused:
        _given_target(cast("Any", Account()), given)
    assert "\n" not in str(refused.value)
