"""The check of a takeover kills the manager while a job runs, however late a slow machine sees that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from provisioner.clients import Document
from provisioner.selftest.bench import Bench
from provisioner.selftest.checks.recovery import NAPS, takeover
from provisioner.selftest.model import CheckFailed, SelftestPatience


class LateBench:
    """A bench and its client; a job is seen `late_s` after it began."""

    def __init__(self, late_s: float) -> None:
        self.patience = SelftestPatience(nap_s=2.0)
        self.client = self
        self.late_s = late_s
        self.naps: list[float] = []
        self.killed_in: list[str] = []
        self._known = 0

    def submit(self, function: str, arguments: list[list[float]]) -> str:
        self.naps.append(arguments[0][0])
        return f"tasks-{len(self.naps)}"

    def collect(self, tasks: str, seconds: float) -> list[dict[str, Any]]:
        return [{"value": "napped"}]

    def new_jobs(self) -> list[Document]:
        state = "RUNNING" if self.naps[-1] > self.late_s else "SUCCEEDED"
        return [{"jobId": f"job-{len(self.naps)}", "status": state}] if len(self.naps) > self._known else []

    await_jobs = new_jobs

    def begin_check(self) -> None:
        self._known = len(self.naps)

    def wait_for(self, what: str, look: Callable[[], Any], seconds: float) -> Any:
        found = look()
        if not found:
            raise CheckFailed(f"{what}: not within {seconds} s.")
        return found

    def kill_engine(self) -> None:
        (job,) = self.new_jobs()
        self.killed_in.append(job["status"])


def check(bench: LateBench) -> str:
    return takeover(cast("Bench", bench))


@pytest.mark.parametrize(("late_s", "naps"), [(0.5, [2.0]), (5.0, [2.0, 4.0, 8.0])])
def test_a_job_that_had_ended_when_it_was_seen_is_tried_again_for_longer(late_s: float, naps: list[float]) -> None:
    bench = LateBench(late_s)
    assert f"job-{len(naps)} ran" in check(bench)
    assert (bench.naps, bench.killed_in) == (naps, ["RUNNING"])


def test_jobs_that_are_never_seen_to_run_fail_the_check_with_a_sentence() -> None:
    bench = LateBench(1_000.0)
    with pytest.raises(CheckFailed, match=f"{NAPS} jobs had ended when they were first seen"):
        check(bench)
    assert bench.killed_in == []
