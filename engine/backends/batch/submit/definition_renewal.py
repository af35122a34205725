"""Renewal of the job definition that submissions name, when AWS Batch says that it is gone.

A deployment of infrastructure makes the revision INACTIVE that a manager was started with. Then the newest active one
of the same name is used; while there is none, submissions wait and nothing fails.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from container.batch_job_quoting import quote_foreign
from engine.aws.budget import Sleep
from engine.aws.client import AwsClient
from engine.aws.errors import AwsError
from engine.backends.batch.preflight import find_newest
from engine.backends.batch.submit.request import JobTemplate
from engine.errors import StartupError

logger = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 10.0


class DefinitionRenewal:
    """Changes `template`'s definition. Submissions that wait for the same one share its looks."""

    def __init__(self, *, client: AwsClient, template: JobTemplate, sleep: Sleep = asyncio.sleep) -> None:
        self._client = client
        self._template = template
        self._sleep = sleep
        self._waiting = 0
        self._looking = asyncio.Lock()

    async def renew(self, refused: str, error: AwsError, given_up: Callable[[], bool]) -> None:
        """Return when a submission may be tried again: with another revision than `refused`, or after a while.

        Or once `given_up` says so. Meanwhile the engine is paused.
        """
        self._waiting += 1
        try:
            self._client.pauses.begin(self, f"AWS Batch has no active job definition for our jobs ({error.detail})")
            async with self._looking:
                while self._template.definition == refused and not given_up() and not await self._find(refused):
                    pass
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._client.pauses.end(self)

    async def _find(self, refused: str) -> bool:
        """False: there is none so far. A name without a revision stays as it is: AWS Batch finds what it stands for."""
        try:
            newest = await find_newest(self._client, name_of(refused))
        except StartupError as error:
            self._client.pauses.begin(self, str(error))
            await self._sleep(LOOK_AGAIN_S)
            return False
        if not is_pinned(refused) or newest.arn == refused:
            await self._sleep(LOOK_AGAIN_S)
            return True
        shown = quote_foreign(newest.arn)
        logger.warning("job definition %s is not active any more: submitting with %s from now on", refused, shown)
        self._template.definition, self._template.command = newest.arn, newest.command
        return True


def name_of(definition: str) -> str:
    """Name of a job definition that is given as a name or an ARN, with or without a revision."""
    return definition.rpartition("/")[2].partition(":")[0]


def is_pinned(definition: str) -> bool:
    """Tell whether it names a revision."""
    return ":" in definition.rpartition("/")[2]
