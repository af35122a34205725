"""Whatever text AWS, a proxy or a source of credentials sends: what is told of it is one short line."""

from __future__ import annotations

import botocore.exceptions as sdk
import pytest

from engine.aws.calls import operations
from engine.aws.calls.operations import Operation
from engine.aws.calls.pauses import describe_credentials, describe_refusal
from engine.aws.client import AwsClient
from engine.aws.error_text import describe_error
from engine.aws.errors import AwsError, ErrorAction, MalformedAnswer
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.preflight import write_sentence
from tests.support.engine.aws_answers import refused, script
from tests.support.engine.hostile_texts import HOSTILE, faults_of

OPERATIONS = [each for each in vars(operations).values() if isinstance(each, Operation)]
ERRORS: list[Exception] = [
    refused(HOSTILE, HOSTILE, status=400),
    refused("AccessDenied", HOSTILE, status=403),
    refused("ClientException", "queue is disabled " + HOSTILE, status=400),
    refused("ExpiredToken", HOSTILE, status=403),
    refused("TooManyRequestsException", HOSTILE, status=429),
    refused("InternalError", HOSTILE, status=500),
    refused("AccessDenied", HOSTILE, status=403, operation="AssumeRole"),
    sdk.EndpointConnectionError(endpoint_url=HOSTILE),
    sdk.ReadTimeoutError(endpoint_url=HOSTILE),
    sdk.ParamValidationError(report=HOSTILE),
    sdk.CredentialRetrievalError(provider=HOSTILE, error_msg=HOSTILE),
    sdk.ProfileNotFound(profile=HOSTILE),
    MalformedAnswer(HOSTILE),
]


def _told(client: AwsClient, error: AwsError) -> list[str]:
    layout = StoreLayout("bucket", "prefix", "wm")
    statistics = client.statistics
    return [
        *(str(error), error.api, error.code, error.detail),
        *(describe_refusal(error), describe_credentials(error), describe_error(error), write_sentence(layout, error)),
        *(str(one.last_error) for one in statistics.apis.values()),
        *(str(statistics.silence_of(service)) for service in ("batch", "s3")),
        str(client.pauses.reason),
        str(client.gate.reason),
    ]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: str(one.name))
async def test_an_error_of_aws_is_told_in_one_short_line(
    client: AwsClient, operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    told: list[str] = []
    for error in ERRORS:
        with pytest.raises(AwsError) as caught:
            await client.run(operation, script(*[error] * 4), tries=4)
        told += _told(client, caught.value)
        client.gate.open()
    assert faults_of([*told, *caplog.messages]) == []


def test_a_text_of_many_lines_is_told_in_one_with_its_words() -> None:
    error = AwsError("SubmitJob", ErrorAction.REFUSED, "Code", "Parameter validation failed:\n  Missing")
    assert error.detail == "Parameter validation failed: Missing"
