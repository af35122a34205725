"""Signatures of GETs: the same as botocore's, whatever is signed."""

from __future__ import annotations

import itertools
from datetime import datetime
from unittest.mock import patch
from urllib.parse import quote

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from engine.aws.calls.get_signature import signed_headers

NOW = datetime(2026, 11, 29, 23, 59, 59)
PLACES = (
    "https://bucket.s3.us-east-1.amazonaws.com",
    "https://s3.eu-central-1.amazonaws.com:443/with.dots",
    "http://127.0.0.1:4566/bucket",
    "http://localhost:80/bucket",
)
KEYS = ("a", "tasks/wm/results/" + "a" * 32, "with blank/and+plus", "ü~'()*!", "//double//")
QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"list-type": "2", "prefix": "tasks/ü &=/", "encoding-type": "url", "continuation-token": "a+/="},
)
HEADERS = ({"User-Agent": "ours"}, {"User-Agent": "ours", "x-amz-expected-bucket-owner": "123456789012"})
TOKENS = (None, "session token/+=")


@pytest.mark.parametrize("place", PLACES)
def test_it_is_botocores(place: str) -> None:
    for key, query, headers, token in itertools.product(KEYS, QUERIES, HEADERS, TOKENS):
        url = f"{place}/{quote(key)}"
        if query:
            url += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(query.items()))
        credentials = ReadOnlyCredentials("AKIAEXAMPLE", "secret/+key", token, None)
        request = AWSRequest("GET", url, headers=dict(headers))
        with patch.object(botocore.auth, "get_current_datetime", lambda: NOW):
            S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
        theirs = {name.lower(): value for name, value in request.headers.items()}
        ours = signed_headers(url, headers, credentials, "us-east-1", NOW)
        assert {name.lower(): value for name, value in ours.items()} == theirs, url


def test_another_day_has_another_key() -> None:
    credentials = ReadOnlyCredentials("AKIAEXAMPLE", "secret", None, None)
    signed = [signed_headers(PLACES[0] + "/a", {}, credentials, "us-east-1", NOW.replace(day=day)) for day in (28, 29)]
    assert signed[0]["Authorization"].rpartition("=")[2] != signed[1]["Authorization"].rpartition("=")[2]
