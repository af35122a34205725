"""Checkpoint of a provisioning under way: its saved entry, written after every step, so that it can be resumed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from provisioner.kinds import PlanAction, StepState
from provisioner.plan.executor import Progress
from provisioner.stack.saved_state import Provisioned, save, save_entry


class Checkpoint:
    """Saved entry of a run, owned until `complete`. `before` are the resources that an earlier run began."""

    def __init__(self, provisioned: Provisioned, config: Path, env_file: Path, before: tuple[str, ...] = ()) -> None:
        self._entry = msgspec.structs.replace(provisioned, complete=False, begun=before)
        self._config = config
        self._env_file = env_file

    @property
    def begun(self) -> frozenset[str]:
        """Keys of the resources that this run or an earlier one began to make."""
        return frozenset(self._entry.begun)

    def record(self, progress: Progress) -> None:
        """Save the entry after a step.

        Raises `ProvisionError` when it can't be written: nothing is made that isn't saved.
        """
        change = progress.change
        name = f"{change.kind} {change.name}"
        begun = self._entry.begun
        if progress.state is StepState.RUNNING and change.action is PlanAction.CREATE and name not in begun:
            begun = (*begun, name)
        self._entry = msgspec.structs.replace(self._entry, begun=begun)
        save_entry(self._entry, self._config)

    def set_image(self, image: str) -> None:
        """Set the image, which is known only once it is built; saved with the next step."""
        self._entry = msgspec.structs.replace(self._entry, image=image)

    def complete(self) -> Provisioned:
        """Save the entry as complete, and write the env file. Raises `ProvisionError`."""
        self._entry = msgspec.structs.replace(self._entry, complete=True, begun=())
        save(self._entry, self._config, self._env_file)
        return self._entry
