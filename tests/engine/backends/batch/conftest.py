"""One local AWS for all tests of the Batch backend; each test leaves it without faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from provisioner.local.aws import LocalAWS
from tests.support.engine.batch_harness import empty_bucket, end_jobs, provision


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAWS]:
    # Times of AWS ten times faster: half a minute of grace is three seconds, the shortest time-out six.
    with LocalAWS(time_scale=0.1) as aws:
        provision(aws)
        yield aws


@pytest.fixture
def aws(local_aws: LocalAWS) -> Iterator[LocalAWS]:
    local_aws.clear_faults()
    local_aws.reset_calls()
    yield local_aws
    local_aws.clear_faults()
    end_jobs(local_aws)
    empty_bucket(local_aws)
