"""Session of one region: boto3 clients made on first use, thrown away when credentials must be read again.

boto3's own environment (profiles, `AWS_ENDPOINT_URL`, CA bundle, proxies) keeps its meaning.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import boto3

USER_AGENT: Final = "scaler-batch-manager"
CONNECT_TIMEOUT_S: Final = 2
"""A call that was let through arrives within this time, or never: the lease's safety margin builds on it."""
READ_TIMEOUT_S: Final = 60
OWNER_PARAMETER: Final = "ExpectedBucketOwner"
OWNER_HEADER: Final = "x-amz-expected-bucket-owner"
CONTROL_ANSWER_S: Final[Mapping[str, float]] = {
    "batch": 20,
    "ec2": 20,
    "logs": 20,
    "pricing": 20,
    "service-quotas": 20,
}
"""Where answers are small and come within seconds: one that hangs is given up sooner, and asked for again."""

# https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
PRICE_LIST: Final = "pricing"
PRICE_LIST_REGION: Final = "us-east-1"
CHINA: Final = "cn-"
CHINA_PRICE_LIST_REGION: Final = "cn-northwest-1"


def region_of(service: str, region: str) -> str:
    """Region in which a service is asked about `region`: the price lists of all are in one place."""
    if service != PRICE_LIST:
        return region
    return CHINA_PRICE_LIST_REGION if region.startswith(CHINA) else PRICE_LIST_REGION


class AwsSession:
    """Owner of the clients; safe to use from several threads. `connections` a service at most.

    `read_timeout_s`: seconds that an answer may take.
    """

    def __init__(self, region: str, connections: int, read_timeout_s: int = READ_TIMEOUT_S) -> None:
        self.region = region
        self.connections = connections
        self.read_timeout_s = read_timeout_s
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, float | None], Any] = {}
        self.check_send: Callable[[], None] = lambda: None
        """Called in the thread of a call right before its request is sent; what it raises, the call raises."""
        self._found_credentials: Any = None
        self.bucket_owner: str | None = None
        """Account that each call of S3 names as the bucket's owner: after a cleanup anybody may make one of its name.
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html"""
        self.generation = 0
        """Rises whenever credentials are read again; whoever caches signed things compares it."""

    def client(self, service: str, read_timeout_s: float | None = None) -> Any:
        """Client of `service` ("batch", "s3", "logs"), with connections of its own for another `read_timeout_s`."""
        key = service, read_timeout_s
        found = self._clients.get(key)
        if found is not None:
            return found
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make_client(service, read_timeout_s or self._answer_s(service))
            return self._clients[key]

    def _answer_s(self, service: str) -> float:
        return min(self.read_timeout_s, CONTROL_ANSWER_S.get(service, self.read_timeout_s))

    def credentials(self) -> Any:
        """Credentials object of botocore, which renews itself where it can; None when there are none."""
        with self._lock:
            self._found_credentials = self._boto().get_credentials()
            return self._found_credentials

    @property
    def expires_at(self) -> datetime | None:
        """Time at which the credentials in use end, if they do; as botocore found last, without reading anything."""
        expiry: datetime | None = getattr(self._found_credentials, "_expiry_time", None)
        return expiry

    def config_value(self, name: str) -> Any:
        """Value of botocore's own configuration chain, as `ca_bundle`."""
        with self._lock:
            return self._boto()._session.get_config_variable(name)

    def renew(self) -> None:
        """Drop clients and credentials: the next call reads credentials from their sources again."""
        with self._lock:
            self._session = None
            self._clients = {}
            self.generation += 1

    def close(self) -> None:
        """Close the clients' connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients = {}

    def _boto(self) -> boto3.Session:
        if self._session is None:
            import boto3

            self._session = boto3.Session(region_name=self.region)
        return self._session

    def _make_client(self, service: str, read_timeout_s: float) -> Any:
        from botocore.config import Config

        # Retries are ours (`AwsClient`): botocore's would hide throttles from the budgets and repeat SubmitJob.
        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            max_pool_connections=self.connections,
            user_agent_extra=USER_AGENT,
            signature_version="s3v4" if service == "s3" else None,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._found_credentials = self._boto().get_credentials()
        make: Callable[..., Any] = self._boto().client
        client = make(service, config=config, region_name=region_of(service, self.region))
        client.meta.events.register("before-send", self._on_send)
        client.meta.events.register("before-parameter-build.s3", self._name_owner)
        return client

    def _on_send(self, **_: Any) -> None:
        """botocore's last event before the request goes out: credentials were fetched, and it is signed."""
        self.check_send()

    def _name_owner(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        if self.bucket_owner is not None and OWNER_PARAMETER in model.input_shape.members:
            params.setdefault(OWNER_PARAMETER, self.bucket_owner)
