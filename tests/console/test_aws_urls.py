"""URLs of AWS's console, as it writes them itself."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.aws_urls import batch_job_url, log_stream_url


def test_a_stream_is_named_as_cloudwatch_names_it() -> None:
    assert log_stream_url("eu-west-1", "/aws/batch/job", "job/default/0f3c") == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
        "#logsV2:log-groups/log-group/$252Faws$252Fbatch$252Fjob/log-events/job$252Fdefault$252F0f3c"
    )


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_every_name_is_one_part_of_the_place_and_can_be_read_back(name: str) -> None:
    group, stream = log_stream_url("eu-west-1", name, "s").rpartition("log-group/")[2].split("/log-events/")
    assert (unquote(unquote(group.replace("$", "%"))), stream) == (name, "s")
    assert "/" not in group


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "us-east-1.console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_a_job_is_in_its_partitions_console(region: str, host: str) -> None:
    url = batch_job_url(region, "6f1d3c1e-2b7a:20")
    assert url == f"https://{host}/batch/home?region={region}#jobs/detail/6f1d3c1e-2b7a:20"
