"""A key of the user's own: which one is taken, and what the stack does with it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from engine.errors import ConfigError
from provisioner.clients import Document
from provisioner.plan.kms_key import usable_key
from tests.support.recorded_answers import KEY, RecordedClients


class KeyOf(RecordedClients):
    """The account, whose key has other properties."""

    def __init__(self, **properties: object) -> None:
        super().__init__()
        self._properties = properties

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        metadata = super().call(service, operation, parameters)["KeyMetadata"]
        return {"KeyMetadata": {**metadata, **self._properties}}


@pytest.mark.parametrize("given", ["alias/team", KEY])
def test_an_alias_and_an_arn_become_the_keys_arn(given: str) -> None:
    assert usable_key(given, RecordedClients()) == KEY


@pytest.mark.parametrize(
    ("properties", "sentence"),
    [
        ({"KeyState": "PendingDeletion", "Enabled": False}, "must be an enabled key: this one is PendingDeletion."),
        ({"KeySpec": "RSA_2048"}, "must be a symmetric key that encrypts."),
        ({"KeyManager": "AWS"}, "must be a key of yours: AWS's own serve one service each."),
    ],
)
def test_a_key_that_can_not_serve_is_refused_before_anything_is_made(
    properties: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"--kms-key is 'alias/team', but {sentence}")):
        usable_key("alias/team", KeyOf(**properties))


def test_a_key_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="--kms-key is 'alias/team', but must be a key that is in us-east-1"):
        usable_key("alias/team", RecordedClients("nothing"))
