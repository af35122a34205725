"""Own jobs are found among everybody's, however their ids and names look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.aws.batch_jobs import JobsClient
from engine.backends.batch.takeover.own_jobs import CLOCK_SKEW_S, OwnJobs

OURS = "wm_t" + "a" * 32


class CrowdedQueue:
    """ListJobs as it is documented: by age the newest first, by name in groups of names and whatever its case."""

    def __init__(self, jobs: Sequence[tuple[str, int]]) -> None:
        self.jobs = jobs
        """Names, and milliseconds since the epoch."""

    async def call(self, operation: Any, *, tries: int | None = None, **arguments: Any) -> dict[str, Any]:
        [listed] = arguments["filters"]
        [value] = listed["values"]
        if listed["name"] == "AFTER_CREATED_AT":
            matching = sorted((one for one in self.jobs if one[1] > int(value)), key=lambda one: -one[1])
        else:
            matching = sorted(one for one in self.jobs if one[0].lower().startswith(value[:-1].lower()))
        start = int(arguments.get("nextToken", 0))
        more = {"nextToken": str(start + 100)} if start + 100 < len(matching) else {}
        page = [
            {"jobId": name, "jobName": name, "status": "RUNNING", "createdAt": created}
            for name, created in matching[start : start + 100]
        ]
        return {"jobSummaryList": page, **more}


@pytest.mark.parametrize("sibling", ["wm_gpu", "wm_", "WM", "wm_t", "another"])
async def test_jobs_of_an_id_that_begins_alike_crowd_none_of_ours_out(sibling: str) -> None:
    theirs = [(f"{sibling}_t{number:032x}", 2_000_000 + number) for number in range(410)]
    queue = CrowdedQueue([*theirs, (OURS, 1_999_000)])
    own = OwnJobs(jobs=JobsClient(queue), manager_id="wm", queue="queue")  # type: ignore[arg-type]
    assert [one.job.name for one in await own.created_after(1_990.0)] == [OURS]


async def test_a_clock_that_is_off_by_as_much_as_aws_takes_hides_no_new_job() -> None:
    queue = CrowdedQueue([(OURS, 1_000_000)])
    own = OwnJobs(jobs=JobsClient(queue), manager_id="wm", queue="queue")  # type: ignore[arg-type]
    assert len(await own.created_after(1_000.0 + CLOCK_SKEW_S - 1)) == 1
    assert await own.created_after(1_000.0 + CLOCK_SKEW_S + 1) == []
