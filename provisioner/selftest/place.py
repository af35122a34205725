"""Place of a selftest: a stack of ours, resources that somebody else's tool made, or a local AWS of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.aws.limits import DIRECTORY_BUCKET
from engine.errors import ConfigError
from provisioner.clients import Clients, Document
from provisioner.commands.place import chosen_region
from provisioner.plan.planner import stack_of
from provisioner.selftest.model import NothingToTest, SelftestTarget
from provisioner.stack.naming import Stack
from provisioner.stack.saved_state import Provisioned, entry_key, load
from provisioner.stack.spec import DEFAULT_S3_PREFIX, ProvisionSpec

if TYPE_CHECKING:
    from provisioner.local.aws import LocalAWS

LOCAL_IMAGE: Final = "scaler-batch-runner:local"
LOCAL_REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class GivenResources:
    """Names that were given instead of a stack's."""

    job_queue: str | None = None
    job_definition: str | None = None
    bucket: str | None = None
    s3_prefix: str | None = None


@dataclass(frozen=True, slots=True)
class SelftestPlace:
    """Target with the clients that reach it. `environ` leads processes there."""

    target: SelftestTarget
    clients: Clients
    environ: Mapping[str, str]
    local_aws: LocalAWS | None = None

    def clients_with(self, credentials: Mapping[str, str]) -> Clients:
        """Clients of the same place with other credentials, given as boto3's variables."""
        import boto3

        session = boto3.Session(
            credentials["AWS_ACCESS_KEY_ID"],
            credentials["AWS_SECRET_ACCESS_KEY"],
            credentials.get("AWS_SESSION_TOKEN"),
            region_name=self.target.region,
        )
        endpoint = None if self.local_aws is None else self.local_aws.endpoint
        return Clients(self.target.region, session=session, endpoint_url=endpoint)


def place_on_aws(region: str | None, prefix: str, config: Path, given: GivenResources) -> SelftestPlace:
    """Place in the caller's account. Raises `ConfigError`, and `NothingToTest` when its parts aren't there."""
    clients = Clients(chosen_region(region, prefix, config))
    stack = stack_of(clients.region, prefix, clients)
    saved = load(config).get(entry_key(stack.account, stack.region, stack.prefix))
    names = (given.job_queue, given.job_definition, given.bucket)
    if any(names) and not all(names):
        raise ConfigError("--job-queue, --job-definition and --s3-bucket belong together: give all three, or none.")
    target = _given_target(clients, given) if any(names) else _target_of(clients, stack, saved, given)
    return SelftestPlace(target, clients, {})


@contextmanager
def place_here() -> Iterator[SelftestPlace]:
    """Local AWS with a stack of ours on it, for as long as the context lasts. Raises `EngineError`."""
    from provisioner.local.aws import LocalAWS
    from provisioner.plan.executor import provision

    with tempfile.TemporaryDirectory(prefix="selftest-aws-") as folder, LocalAWS(folder, region=LOCAL_REGION) as aws:
        clients = Clients(LOCAL_REGION, session=aws.session(), endpoint_url=aws.endpoint)
        saved = provision(ProvisionSpec(image=LOCAL_IMAGE, region=LOCAL_REGION), clients)
        stack = stack_of(LOCAL_REGION, saved.prefix, clients)
        target = _target_of(clients, stack, saved, GivenResources())
        yield SelftestPlace(target, clients, aws.environment(), aws)


def _target_of(clients: Clients, stack: Stack, saved: Provisioned | None, given: GivenResources) -> SelftestTarget:
    s3_prefix = given.s3_prefix or (saved.s3_prefix if saved is not None else DEFAULT_S3_PREFIX)
    names = (stack.job_queue, stack.job_definition, stack.bucket, s3_prefix)
    return SelftestTarget(stack.region, *names, _vcpus(clients, *names[:2]), stack, saved)


def _given_target(clients: Clients, given: GivenResources) -> SelftestTarget:
    """Raises `ConfigError` for a bucket that no engine takes."""
    queue, definition, bucket = given.job_queue or "", given.job_definition or "", given.bucket or ""
    if bucket.endswith(DIRECTORY_BUCKET):
        raise ConfigError(f"--s3-bucket {bucket} is a directory bucket: give a general purpose bucket.")
    vcpus = _vcpus(clients, queue, definition)
    return SelftestTarget(clients.region, queue, definition, bucket, given.s3_prefix or DEFAULT_S3_PREFIX, vcpus)


def _vcpus(clients: Clients, queue: str, definition: str) -> float:
    """vCPUs of a job. Raises `NothingToTest` when queue or definition aren't there."""
    queues = clients.call("batch", "describe_job_queues", {"jobQueues": [queue]})["jobQueues"]
    name, _, revision = definition.rpartition("/")[2].partition(":")
    asked = {"jobDefinitionName": name, "status": "ACTIVE"}
    definitions = clients.listing("batch", "describe_job_definitions", "jobDefinitions", asked)
    for kind, name, found in (("job queue", queue, queues), ("job definition", definition, definitions)):
        if not found:
            raise NothingToTest(
                f"There is no {kind} {name} in {clients.region}: run provision first, or name what there is by "
                "--prefix, or by --job-queue, --job-definition and --s3-bucket."
            )
    given = [one for one in definitions if str(one["revision"]) == revision]
    return _vcpus_of(max(given or definitions, key=lambda one: int(one["revision"])))


def _vcpus_of(definition: Document) -> float:
    needs = definition.get("containerProperties", {}).get("resourceRequirements", ())
    return next((float(one["value"]) for one in needs if one["type"] == "VCPU"), 1.0)
