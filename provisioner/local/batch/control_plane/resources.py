"""The provisioned resources of one region: compute environments, job queues, job definitions, and their tags."""

from __future__ import annotations

from typing import Final

from provisioner.local.batch.account import Account
from provisioner.local.batch.control_plane.background import Background
from provisioner.local.batch.control_plane.definitions import Definitions
from provisioner.local.batch.control_plane.environment_health import EnvironmentHealth
from provisioner.local.batch.control_plane.environments import Environments
from provisioner.local.batch.control_plane.queues import Queues
from provisioner.local.batch.errors import invalid
from provisioner.local.batch.jobs.lifecycle import Lifecycle
from provisioner.local.options import Delays

MAX_TAGS: Final = 50  # https://docs.aws.amazon.com/batch/latest/userguide/using-tags.html


class Resources:
    """The three kinds of one region. Methods want the lifecycle's lock held."""

    def __init__(self, lifecycle: Lifecycle, account: Account, delays: Delays, region: str) -> None:
        background, queues = Background(lifecycle), lifecycle.placement.queues
        health = EnvironmentHealth(account, delays.propagation)
        chance = lifecycle.chance
        self.environments = Environments(region, background, account, health, queues, delays, chance)
        self.queues = Queues(region, background, account, self.environments, queues, delays.queue, chance)
        self.definitions = Definitions(region, background, health)

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of what has this ARN. Raises `BatchError` when nothing has it."""
        kind = arn.partition("/")[0].rpartition(":")[2]
        thing = (
            self.environments.find(arn)
            if kind == "compute-environment"
            else self.queues.find(arn)
            if kind == "job-queue"
            else self.definitions.find(arn)
        )
        found: dict[str, str] = thing.request.setdefault("tags", {})
        return found

    def add_tags(self, arn: str, more: dict[str, str]) -> None:
        """Tag what has this ARN. Raises `BatchError` above 50 tags, or when nothing has it."""
        tags = self.tags(arn)
        if len(tags | more) > MAX_TAGS:
            raise invalid(f"A resource has at most {MAX_TAGS} tags, got {len(tags | more)}.")
        tags.update(more)
