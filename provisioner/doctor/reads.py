"""Reads of the diagnosis through the provisioner's clients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from engine.aws.errors import AwsError, ErrorAction, classify_error
from engine.diagnosis.reads import iam_action
from provisioner.clients import Clients
from provisioner.errors import ProvisionError


@dataclass(slots=True, eq=False)
class ClientReads:
    """Implements `engine.diagnosis.reads.Reads`, and keeps which IAM actions were allowed and which were denied."""

    clients: Clients
    allowed: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)

    def call(self, service: str, operation: str, **parameters: Any) -> Mapping[str, Any]:
        """Make one call. Raises `AwsError`."""
        name = iam_action(service, operation)
        try:
            answer = self.clients.call(service, operation, parameters)
        except ProvisionError as error:
            raise self._classify(name, error) from error
        self.allowed.add(name)
        return answer

    def _classify(self, name: str, error: ProvisionError) -> AwsError:
        cause = error.__cause__
        if isinstance(cause, ResponseParserError):  # a page of something that stands between us and AWS
            return AwsError(name, ErrorAction.RETRY_LATER, type(cause).__name__, "the answer is not AWS's")
        if not isinstance(cause, ClientError | BotoCoreError):
            raise error
        found = classify_error(name.partition(":")[2], cause, repeatable=True)
        if found.denied:
            self.denied.add(name)
        return found
