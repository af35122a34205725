"""Clients of AWS: every call of the provisioner goes through `Clients`.

boto3 is loaded by the first call, so that a command's `--help` needn't wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from engine.errors import ConfigError
from provisioner.errors import CallFailed, ProvisionError

if TYPE_CHECKING:
    import boto3

ATTEMPTS: Final = 10

Document = dict[str, Any]
"""A response, or a part of one, as botocore parsed it."""


class Clients:
    """boto3 clients of one region, made when first used; retries are botocore's own, ten attempts at most.

    boto3's environment keeps its meaning; `session` and `endpoint_url` are for callers inside this process
    that talk to another endpoint than their environment says.
    """

    def __init__(
        self,
        region: str,
        *,
        session: boto3.Session | None = None,
        endpoint_url: str | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.region = region
        self._attempts = attempts
        self._given_session = session
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}

    def elsewhere(self, region: str) -> Clients:
        """Clients of another region, for a question that needs no patience."""
        return Clients(region, session=self._given_session, endpoint_url=self._endpoint_url, attempts=1)

    def call(self, service: str, operation: str, parameters: Mapping[str, object]) -> Document:
        """Response of one call by boto3's method name.

        Raises `CallFailed` when AWS refuses, `ProvisionError` before that.
        """
        with _explained(service, operation):
            response: Document = getattr(self._client(service), operation)(**parameters)
        return response

    def listing(self, service: str, operation: str, key: str, parameters: Mapping[str, object]) -> list[Document]:
        """Entries under `key` of a paged call, over all its pages. Raises as `call` does."""
        with _explained(service, operation):
            pages = self._client(service).get_paginator(operation).paginate(**parameters)
            return [entry for page in pages for entry in page.get(key, [])]

    @cached_property
    def _session(self) -> boto3.Session:
        import boto3

        return self._given_session or boto3.Session(region_name=self.region)

    @cached_property
    def account(self) -> str:
        """Id of the caller's account. Raises as `call` does."""
        account: str = self.call("sts", "get_caller_identity", {})["Account"]
        return account

    @cached_property
    def partition(self) -> str:
        """Partition of the region, the second part of every ARN: aws, aws-cn, aws-us-gov, … Raises `ConfigError`."""
        from botocore.exceptions import UnknownRegionError

        try:
            return self._session.get_partition_for_region(self.region)
        except UnknownRegionError as error:
            raise ConfigError(f"--region is {self.region!r}, but must be an AWS region like us-east-1.") from error

    @cached_property
    def dns_suffix(self) -> str:
        """DNS suffix of the partition, amazonaws.com or its own: EC2's service principal ends with it."""
        import botocore.session

        partitions = botocore.session.get_session().get_data("partitions")["partitions"]
        suffix: str = next(one["outputs"]["dnsSuffix"] for one in partitions if one["id"] == self.partition)
        return suffix

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._made(service)
        return self._clients[service]

    def _made(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": self._attempts},
            user_agent_extra="scaler-batch-provisioner",
        )
        # boto3 types each service's client by a literal name; here the name is data.
        make: Any = self._session.client
        try:
            return make(service, region_name=self.region, endpoint_url=self._endpoint_url, config=config)
        except ValueError as error:
            raise ConfigError(f"{error}: AWS_ENDPOINT_URL must be a URL like http://127.0.0.1:4566.") from error


@contextmanager
def _explained(service: str, operation: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        details = error.response["Error"]
        action = f"{service}:{error.operation_name}"
        repeated = _was_repeated(error.response.get("ResponseMetadata", {}))
        raise CallFailed(action, details.get("Code", "?"), details.get("Message", "?"), repeated=repeated) from error
    except HTTPClientError as error:
        reason = str(error).rstrip(".")
        raise ProvisionError(
            f"{service}:{operation} got no answer ({reason}): check network and region; it may have been done."
        ) from error
    except BotoCoreError as error:
        reason = str(error).rstrip(".")
        raise ProvisionError(
            f"{service}:{operation} could not be sent ({reason}): check credentials, region and network."
        ) from error
    except ResponseParserError as error:
        raise ProvisionError(
            f"{service}:{operation} was answered by something that isn't AWS: check proxies and AWS_ENDPOINT_URL."
        ) from error


def _was_repeated(metadata: Mapping[str, Any]) -> bool:
    """Another answer than the one that all retries ended with, and not to the first sending."""
    return metadata.get("RetryAttempts", 0) > 0 and not metadata.get("MaxAttemptsReached", False)
