"""Instance types: whether the job fits one of them."""

from __future__ import annotations

from engine.diagnosis.evidence import CheckId
from engine.diagnosis.model import CheckStatus
from tests.support.engine.diagnosed_account import diagnosis, instance_type, with_answers


def test_what_the_job_fits_only_without_the_system_s_share_is_a_warning() -> None:
    account = with_answers(describe_instance_types={"InstanceTypes": [instance_type("m6i.tight", 1, 3686 + 32)]})
    checks = {check.id: check for check in diagnosis(account).checks}
    assert checks[CheckId.INSTANCE_FIT].result is CheckStatus.WARN
