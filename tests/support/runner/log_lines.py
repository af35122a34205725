"""Lines of the runner's own log, made by the runner's own function."""

from __future__ import annotations

import importlib
from unittest import mock

from tests.support.paths import ROOT


def runner_line(text: str) -> str:
    """The line that the runner writes to standard error."""
    with mock.patch("sys.path", [str(ROOT / "container")]):
        runner_log = importlib.import_module("batch_job_quoting")
    with mock.patch("os.write") as write:
        runner_log.log(text)
    data: bytes = write.call_args.args[1]
    return data.decode().removesuffix("\n")
