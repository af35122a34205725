"""The image: what its manifest and its configuration tell."""

from __future__ import annotations

import json

from engine.diagnosis.diagnose import Diagnoser
from tests.support.engine.diagnosed_account import JOB, Clock, healthy


def test_a_single_image_tells_its_processor_in_its_configuration() -> None:
    account, clock = healthy(), Clock()
    account.answers["batch_get_image"] = {"images": [{"imageManifest": '{"config": {"digest": "sha256:c"}}'}]}
    account.answers["get_download_url_for_layer"] = {"downloadUrl": "https://signed"}
    config = {"architecture": "arm64", "config": {"Env": ["PYTHON_VERSION=3.12.4"]}}
    service = Diagnoser(account, clock, clock.sleep, fetch=lambda url: json.dumps(config).encode())
    assert service.diagnose("jobs", JOB).verdict == "the image is for another processor"


def test_an_image_whose_configuration_can_not_be_fetched_is_there_all_the_same() -> None:
    def unreachable(url: str) -> bytes:
        raise OSError("no way")

    account, clock = healthy(), Clock()
    account.answers["batch_get_image"] = {"images": [{"imageManifest": '{"config": {"digest": "sha256:c"}}'}]}
    account.answers["get_download_url_for_layer"] = {"downloadUrl": "https://signed"}
    found = Diagnoser(account, clock, clock.sleep, fetch=unreachable).diagnose("jobs", JOB)
    assert "could not be read" in found.checks[-1].evidence
