"""`scaler-batch jobs`: the same columns for every program, and nothing that isn't known."""

from __future__ import annotations

import json

import pytest

from console.cli.commands.jobs import print_jobs, print_jobs_json
from engine.telemetry.schema.messages import JobPage, JobRow, JobState
from tests.support.engine.telemetry_samples import NOW, row


def page(*rows: JobRow) -> JobPage:
    return JobPage(rows, len(rows), len(rows), NOW)


def cells(capsys: pytest.CaptureFixture[str], *rows: JobRow) -> list[dict[str, str]]:
    """What is printed, by column: each begins where its title does, or ends there."""
    print_jobs(page(*rows))
    head, *lines = capsys.readouterr().out.splitlines()
    return [dict(zip(head.split(), line.split(), strict=False)) for line in lines]


def test_a_job_that_ended_tells_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    ended = row(1, JobState.SUCCEEDED, duration_s=62.0, route="s3", raw_bytes=1 << 20, attempt=2, resubmits=1)
    [told] = cells(capsys, ended)
    assert (told["took"], told["size"], told["attempt"]) == ("1m02s", "1.0M", "2+1")


def test_what_is_not_known_is_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_jobs_json(page(row(1)))
    [job] = json.loads(capsys.readouterr().out)["jobs"]
    assert (job["attempt"], job["raw_bytes"], job["duration_s"], job["retries"]) == (None, None, None, 0)
