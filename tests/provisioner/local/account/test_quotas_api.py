"""Service Quotas of the local account."""

from __future__ import annotations

import pytest

from tests.support.local_aws.account import Account


def test_vcpu_quotas_can_be_read_and_an_unknown_one_does_not_exist(account: Account) -> None:
    quotas = account.aws.client("service-quotas")
    assert quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-34B43A08")["Quota"]["Value"] > 0
    with pytest.raises(quotas.exceptions.NoSuchResourceException):
        quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-00000000")
