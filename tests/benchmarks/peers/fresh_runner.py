"""Program of each job where none is forked from one that has everything imported: a Python of its own, as on AWS."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

RUNNER: Final = Path(__file__).resolve().parents[3] / "container" / "batch_job_runner.py"


def main(argv: Sequence[str], environ: Mapping[str, str], make_client: Callable[..., Any]) -> NoReturn:
    """Become a fresh process that runs the runner."""
    os.execve(sys.executable, [sys.executable, str(RUNNER), *argv], {**os.environ, **environ})
