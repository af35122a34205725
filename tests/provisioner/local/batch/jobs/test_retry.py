"""evaluateOnExit: the first rule whose conditions all fit decides; none means retry."""

from __future__ import annotations

import pytest

from provisioner.local.batch.jobs.retry import fits, retries
from provisioner.local.batch.records import LocalAttempt, RetryRule


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (None, None, True),
        ("*", None, True),
        ("Host*", None, False),
        ("Host EC2*", "Host EC2 (instance i-1) terminated.", True),
        ("host ec2*", "Host EC2 (instance i-1) terminated.", True),
        ("Host EC2", "Host EC2 (instance i-1) terminated.", False),
        ("75", "75", True),
        ("7*", "75", True),
        ("*5", "75", False),
    ],
)
def test_a_pattern_is_exact_but_for_a_final_star(pattern: str | None, text: str | None, expected: bool) -> None:
    assert fits(pattern, text) is expected


def test_no_rule_that_fits_means_retry() -> None:
    assert retries((RetryRule("EXIT", on_exit_code="1"),), LocalAttempt(exit_code=2))


def test_all_conditions_of_a_rule_must_fit() -> None:
    rules = (RetryRule("EXIT", on_exit_code="1", on_reason="Out*"),)
    assert retries(rules, LocalAttempt(exit_code=1))
    assert not retries(rules, LocalAttempt(exit_code=1, reason="OutOfMemoryError"))


def test_the_first_rule_that_fits_decides() -> None:
    rules = (RetryRule("RETRY", on_exit_code="75"), RetryRule("EXIT", on_reason="*"))
    assert retries(rules, LocalAttempt(exit_code=75))
    assert not retries(rules, LocalAttempt(exit_code=1))
