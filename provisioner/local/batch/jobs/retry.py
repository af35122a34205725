"""Retry rules of failed attempts: AWS's `retryStrategy` and `evaluateOnExit`.

https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html: up to `attempts` in all; of the
`evaluateOnExit` rules the first whose given conditions all match decides; with no match the job is retried.
"""

from __future__ import annotations

from collections.abc import Sequence

from provisioner.local.batch.records import LocalAttempt, RetryRule


def retries(rules: Sequence[RetryRule], attempt: LocalAttempt) -> bool:
    """Whether the attempt is followed by another, if any is left."""
    for rule in rules:
        if matches(rule, attempt):
            return rule.action.upper() == "RETRY"
    return True


def matches(rule: RetryRule, attempt: LocalAttempt) -> bool:
    """Whether every condition of the rule fits the attempt."""
    exit_code = None if attempt.exit_code is None else str(attempt.exit_code)
    return (
        fits(rule.on_status_reason, attempt.status_reason)
        and fits(rule.on_reason, attempt.reason)
        and fits(rule.on_exit_code, exit_code)
    )


def fits(pattern: str | None, text: str | None) -> bool:
    """Only a final `*` is special. A condition on something that the attempt lacks fits just `*`."""
    if pattern is None or pattern == "*":
        return True
    if text is None:
        return False
    if pattern.endswith("*"):
        return text.lower().startswith(pattern[:-1].lower())
    return text.lower() == pattern.lower()
