"""Which vCPU quotas of the account a compute environment counts against."""

from __future__ import annotations

import pytest

from engine.aws.quotas import quotas_of


@pytest.mark.parametrize(
    ("kind", "instance_types", "codes"),
    [
        ("EC2", ("optimal",), {"L-1216C47A"}),
        ("EC2", (), {"L-1216C47A"}),
        ("SPOT", ("m6i", "c6i.large"), {"L-34B43A08"}),
        ("EC2", ("g5.xlarge", "p4d.24xlarge"), {"L-DB2E81BA", "L-417A185B"}),
        ("SPOT", ("gr6",), {"L-3819A6DF"}),
        ("FARGATE", (), {"L-3032A538"}),
        ("EC2", ("trn1.2xlarge",), set()),
        ("", ("m6i",), set()),
    ],
)
def test_an_environment_counts_against_its_series_quotas(
    kind: str, instance_types: tuple[str, ...], codes: set[str]
) -> None:
    assert {quota.code for quota in quotas_of(kind, instance_types)} == codes
