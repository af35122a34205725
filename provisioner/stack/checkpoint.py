"""The saved entry of a provisioning under way: written after every step, so that whatever ends it can be resumed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from provisioner.plan.executor import Progress, StepState
from provisioner.plan.model import PlanAction
from provisioner.stack.saved_state import Provisioned, save, save_entry


class Checkpoint:
    """Owns the entry until `complete`. `before` are the resources that an earlier run began."""

    def __init__(self, provisioned: Provisioned, config: Path, env_file: Path, before: tuple[str, ...] = ()) -> None:
        self._entry = msgspec.structs.replace(provisioned, complete=False, begun=before)
        self._config = config
        self._env_file = env_file

    @property
    def begun(self) -> frozenset[str]:
        return frozenset(self._entry.begun)

    def heard(self, progress: Progress) -> None:
        """Raises `ProvisionError` when the file can't be written: nothing is made that isn't noted."""
        change = progress.change
        name = f"{change.kind} {change.name}"
        begun = self._entry.begun
        if progress.state is StepState.RUNNING and change.action is PlanAction.CREATE and name not in begun:
            begun = (*begun, name)
        self._entry = msgspec.structs.replace(self._entry, begun=begun)
        save_entry(self._entry, self._config)

    def built(self, image: str) -> None:
        """Known only now, and noted with the next step."""
        self._entry = msgspec.structs.replace(self._entry, image=image)

    def complete(self) -> Provisioned:
        """Also writes the env file."""
        self._entry = msgspec.structs.replace(self._entry, complete=True, begun=())
        save(self._entry, self._config, self._env_file)
        return self._entry
