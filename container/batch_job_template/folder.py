"""A folder for the temporary files of tasks that run one after the other: each finds it as it was made."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from typing import Final

from batch_job_quoting import log

_PREFIX: Final = "scaler-batch-task-"
_MODE: Final = 0o700


class TaskFolder:
    """A folder under the system's one for temporary files; `path` is empty where none can be made."""

    def __init__(self) -> None:
        self._make()

    def renew(self) -> None:
        """Make it empty for the next task. Making one costs as much as a small task: where nothing changed it stays."""
        if self.path and not self._is_as_made():
            self.remove()
            try:
                os.mkdir(self.path, _MODE)
            except OSError:  # what can't be removed stays, beside a new one
                self._make()

    def remove(self) -> None:
        """Remove it with all that is in it; idempotent."""
        if self.path:
            shutil.rmtree(self.path, ignore_errors=True)

    def _make(self) -> None:
        try:
            self.path = tempfile.mkdtemp(prefix=_PREFIX)
        except OSError as error:
            log(f"no folder of its own for the tasks' temporary files: {type(error).__name__}")
            self.path = ""

    def _is_as_made(self) -> bool:
        try:
            status = os.lstat(self.path)
            is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
            return is_ours and stat.S_IMODE(status.st_mode) == _MODE and not os.listdir(self.path)
        except OSError:
            return False
