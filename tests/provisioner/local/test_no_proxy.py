"""A proxy of the environment is not asked for what runs on this machine."""

from __future__ import annotations

import os

import pytest

from provisioner.local.aws import LocalAWS
from provisioner.local.no_proxy import no_proxy


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "example.org, localhost"}, "example.org,localhost,127.0.0.1"),
        ({"NO_PROXY": "a", "no_proxy": "b"}, "a,b,127.0.0.1,localhost"),
    ],
)
def test_loopback_is_added_to_what_is_excepted(environ: dict[str, str], expected: str) -> None:
    assert no_proxy(environ) == {"NO_PROXY": expected, "no_proxy": expected}


@pytest.mark.long
def test_a_program_with_its_variables_reaches_the_local_aws_past_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with LocalAWS() as aws:
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        assert aws.client("sts").get_caller_identity()["Account"]
        assert os.environ["HTTP_PROXY"]
