"""URLs of AWS's own console: a job in AWS Batch, a stream in CloudWatch Logs."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

_HOSTS: Final = (("cn-", "console.amazonaws.cn"), ("us-gov-", "console.amazonaws-us-gov.com"))
"""Partitions with a console of their own, by how their regions begin."""


def batch_job_url(region: str, job_id: str) -> str:
    """URL of a job, or of a child of an array, whose id holds its index."""
    return f"{_host(region)}/batch/home?region={region}#jobs/detail/{quote(job_id, safe=':')}"


def log_stream_url(region: str, group: str, stream: str) -> str:
    """URL of a log stream."""
    place = f"log-group/{_in_fragment(group)}/log-events/{_in_fragment(stream)}"
    return f"{_host(region)}/cloudwatch/home?region={region}#logsV2:log-groups/{place}"


def _host(region: str) -> str:
    for begin, host in _HOSTS:
        if region.startswith(begin):
            return f"https://{host}"
    return f"https://{region}.console.aws.amazon.com"


def _in_fragment(name: str) -> str:
    """CloudWatch's console quotes twice, with a dollar sign the second time."""
    return quote(quote(name, safe=""), safe="").replace("%", "$")
