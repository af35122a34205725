"""Jobs' output as CloudWatch shows it, and the bounds of what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from provisioner.local.logs.log_store import LogStore
from provisioner.policies import key_policy
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec
from tests.support.local_aws.account import Account

GROUP = "/aws/batch/job"


def store(max_stream: int = 10_000, max_total: int = 100_000) -> LogStore:
    return LogStore(max_stream, max_total, lambda group: group == GROUP, lambda: 7)


def messages(logs: LogStore, name: str) -> list[str]:
    stream = logs.find(GROUP, name)
    return [] if stream is None else [event.message for event in logs.events(stream)]


def test_lines_are_put_together_from_pieces() -> None:
    logs = store()
    write = logs.open(GROUP, "s")
    for piece in (b"on", b"e\ntwo\n\nthr", b"ee"):
        write(piece)
    assert messages(logs, "s") == ["one", "two", "", "three"]


def test_the_oldest_lines_go_first_and_only_whole_ones_stay() -> None:
    logs = store(max_stream=1_000)
    write = logs.open(GROUP, "s")
    for number in range(1000):
        write(b"line %d\nrest " % number)
    kept = messages(logs, "s")
    assert len(kept) < 10
    assert kept[-2:] == ["rest line 999", "rest "]


def test_all_streams_together_are_bounded() -> None:
    logs = store(max_total=20_000)
    writers: list[Callable[[bytes], None]] = [logs.open(GROUP, f"s{number}") for number in range(10)]
    for write in writers:
        write(b"x" * 5_000 + b"\n")
    alive = [number for number in range(10) if messages(logs, f"s{number}")]
    assert alive == [8, 9] or alive == [7, 8, 9]


def test_an_unknown_group_is_refused() -> None:
    with pytest.raises(LookupError):
        store().open("/none", "s")


def test_events_can_be_paged_forward_to_the_end(account: Account) -> None:
    job = account.run("print(*range(10), sep='\\n')")
    request = {"logGroupName": GROUP, "logStreamName": job["container"]["logStreamName"], "limit": 4}
    seen: list[str] = []
    answer = account.logs.get_log_events(startFromHead=True, **request)
    while answer["events"]:
        seen.extend(event["message"] for event in answer["events"])
        token = answer["nextForwardToken"]
        answer = account.logs.get_log_events(startFromHead=True, nextToken=token, **request)
    assert seen == [str(number) for number in range(10)]
    assert answer["nextForwardToken"] == token


def test_the_tail_comes_without_a_token(account: Account) -> None:
    job = account.run("print(*range(10), sep='\\n')")
    stream = job["container"]["logStreamName"]
    answer = account.logs.get_log_events(logGroupName=GROUP, logStreamName=stream, limit=2)
    assert [event["message"] for event in answer["events"]] == ["8", "9"]
    before = account.logs.get_log_events(
        logGroupName=GROUP, logStreamName=stream, limit=2, nextToken=answer["nextBackwardToken"]
    )
    assert [event["message"] for event in before["events"]] == ["6", "7"]


def test_streams_can_be_found_and_filtered(account: Account) -> None:
    job = account.run("print('needle here')\nprint('hay')")
    stream = job["container"]["logStreamName"]
    named = account.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]
    found = account.logs.filter_log_events(logGroupName=GROUP, logStreamNames=[stream], filterPattern="needle")
    assert [one["logStreamName"] for one in named] == [stream]
    assert [event["message"] for event in found["events"]] == ["needle here"]


def test_a_stream_that_does_not_exist_is_told_from_a_missing_group(account: Account) -> None:
    account.run("print('makes the group')")
    for group, missing in ((GROUP, "stream"), ("/none", "group")):
        with pytest.raises(account.logs.exceptions.ResourceNotFoundException, match=missing):
            account.logs.get_log_events(logGroupName=group, logStreamName="none")


def test_a_group_gets_a_key_and_gives_it_back(account: Account) -> None:
    key = make_key(account, policy_for("/keyed"))
    account.logs.create_log_group(logGroupName="/keyed")
    account.logs.associate_kms_key(logGroupName="/keyed", kmsKeyId=key)
    given = key_of("/keyed", account)
    account.logs.disassociate_kms_key(logGroupName="/keyed")
    assert (given, key_of("/keyed", account)) == (key, None)


@pytest.mark.parametrize("group", ["/other", None], ids=["another group's", "AWS's default"])
def test_a_key_whose_policy_does_not_let_logs_in_is_refused_in_awss_words(account: Account, group: str | None) -> None:
    key = make_key(account, policy_for(group) if group else None)
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:/refused"
    words = f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"
    with pytest.raises(account.logs.exceptions.ClientError, match=f"AccessDeniedException.*{words}"):
        account.logs.create_log_group(logGroupName="/refused", kmsKeyId=key)
    account.logs.create_log_group(logGroupName="/refused")
    with pytest.raises(account.logs.exceptions.ClientError, match=f"AccessDeniedException.*{words}"):
        account.logs.associate_kms_key(logGroupName="/refused", kmsKeyId=key)
    account.logs.delete_log_group(logGroupName="/refused")


def policy_for(group: str) -> str:
    """What `export --only kms-key` prints for the stack of that log group."""
    stack = Stack("us-east-1", group.removeprefix("/"), "123456789012", "aws")
    policy = json.dumps(key_policy(stack, ProvisionSpec(image=None, fargate=True)))
    return policy.replace(stack.log_group, group)


def make_key(account: Account, policy: str | None) -> str:
    given = {"Policy": policy} if policy else {}
    return str(account.aws.client("kms").create_key(**given)["KeyMetadata"]["Arn"])


def key_of(group: str, account: Account) -> str | None:
    (found,) = account.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    key: str | None = found.get("kmsKeyId")
    return key


def test_a_group_that_is_not_there_gets_no_key(account: Account) -> None:
    with pytest.raises(account.logs.exceptions.ResourceNotFoundException):
        account.logs.associate_kms_key(logGroupName="/none", kmsKeyId=make_key(account, policy_for("/none")))
