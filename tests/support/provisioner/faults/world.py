"""A stack in the shared account, from before it is there until it is gone again."""

from __future__ import annotations

from collections.abc import Iterator

from provisioner.clients import Clients
from provisioner.local.aws import LocalAWS
from provisioner.stack.saved_state import Provisioned, load
from tests.support.provisioner.faults.commands import Commands
from tests.support.provisioner.faults.faults import Fault
from tests.support.provisioner.faults.recorded import Call
from tests.support.provisioner.stacks import EVERYTHING, account

SERVICE_ROLE = "AWSServiceRoleForBatch"
NAMES = (
    "RoleName",
    "InstanceProfileName",
    "logGroupName",
    "repositoryName",
    "GroupName",
    "LaunchTemplateName",
    "computeEnvironmentName",
    "jobQueueName",
    "jobDefinitionName",
)
"""Keys under which AWS's listings have names, but a bucket's."""


def put_data(clients: Clients, prefix: str) -> None:
    """An object and an unfinished upload, which a bucket can't be deleted with."""
    place = {"Bucket": f"{prefix}-{clients.account}-{clients.region}", "Key": "scaler-tasks/results/1"}
    clients.call("s3", "put_object", {**place, "Body": b"x"})
    clients.call("s3", "create_multipart_upload", place)


def delete_service_role(clients: Clients) -> None:
    """So that provisioning makes it."""
    roles = clients.listing("iam", "list_roles", "Roles", {})
    if any(role["RoleName"] == SERVICE_ROLE for role in roles):
        clients.call("iam", "delete_role", {"RoleName": SERVICE_ROLE})


class Others:
    """What the account has besides the stacks of these tests: read again only after a test that left something."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: list[str] | None = None

    def before(self) -> list[str]:
        self._known, known = None, self._known
        return account(self._clients) if known is None else known

    def are_all(self, before: list[str]) -> bool:
        self._known = before if account(self._clients) == before else None
        return self._known is not None


class Before(Others):
    """As it was when this was made: what tests do to the account doesn't last."""

    def before(self) -> list[str]:
        self._known = account(self._clients) if self._known is None else self._known
        return self._known

    def are_all(self, before: list[str]) -> bool:
        return account(self._clients) == before


class World:
    """One stack, and what lives beside it."""

    def __init__(self, aws: LocalAWS, clients: Clients, others: Others, commands: Commands) -> None:
        self.aws = aws
        self.commands = commands
        self._clients = clients
        self._others = others
        self._before = others.before()

    @property
    def saved(self) -> Provisioned | None:
        return next(iter(load(self.commands.config).values()), None)

    @property
    def is_empty(self) -> bool:
        """Equal to how the account was before, by every API that lists."""
        return self._others.are_all(self._before)

    def strike(self, fault: Fault, call: Call) -> None:
        self.aws.fault(fault.of(call.api, call.before))

    def recover(self) -> None:
        self.aws.clear_faults()

    def put_data(self) -> None:
        put_data(self._clients, self.commands.prefix)

    def put_job(self) -> None:
        """As a worker manager would."""
        prefix = self.commands.prefix
        names = {"jobQueue": f"{prefix}-queue", "jobDefinition": f"{prefix}-job"}
        self._clients.call("batch", "submit_job", {"jobName": "task", **names})

    def living(self) -> set[str]:
        """Names of what there is of the stack, by every API that lists."""
        prefix = self.commands.prefix
        return {name for name in self._names() if name.removeprefix("/scaler/").startswith(f"{prefix}-")}

    def _names(self) -> Iterator[str]:
        yield from (bucket["Name"] for bucket in self._clients.call("s3", "list_buckets", {})["Buckets"])
        for service, operation, key, words in EVERYTHING:
            for entry in self._clients.listing(service, operation, key, words):
                yield from (str(entry[name]) for name in NAMES if name in entry)
