"""build-image with a real builder and a registry that asks for its password: the users' own code is in the image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.clients import Clients
from provisioner.image.build import BuiltImage, build_and_push
from provisioner.image.events import Event, ImageStep
from provisioner.image.request import ImageRequest
from provisioner.local.aws import LocalAWS
from provisioner.stack.naming import Stack
from tests.support.docker.engine import ContainerEngine
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.projects import write_project

pytestmark = pytest.mark.long

STACK = Stack(REGION, "sb", ACCOUNT, "aws", "amazonaws.com")
HARDENED = ("--rm", "--read-only", "--tmpfs", "/tmp", "--user", "65534", "--cap-drop", "ALL", "--network", "none")
FACTS = """
import json, os, sys
sys.path.insert(0, "/app")
import batch_job_runner, parts, six
open("written", "w").close()
print(json.dumps([parts.VALUE, six.__version__, os.getuid(), os.path.expanduser("~"), os.getcwd()]))
"""


@pytest.fixture
def clients(container_engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name, value in container_engine.environ.items():
        monkeypatch.setenv(name, value)
    with LocalAWS(containers=True) as aws:
        yield Clients(REGION, session=aws.session(), endpoint_url=aws.endpoint)


def make(request: ImageRequest, clients: Clients, events: list[Event]) -> BuiltImage:
    def ensure_repository() -> None:
        clients.call(
            "ecr", "create_repository", {"repositoryName": STACK.repository, "imageTagMutability": "IMMUTABLE"}
        )

    return build_and_push(request, clients, STACK, events.append, ensure_repository)


def test_requirements_and_packages_are_in_the_image_and_told_and_no_login_is_left(
    container_engine: ContainerEngine, clients: Clients, tmp_path: Path
) -> None:
    pins = tmp_path / "pins.txt"
    pins.write_text("six==1.17.0\n")
    packages, lock = (write_project(tmp_path / "mine"),), tmp_path / "image.lock"
    request = ImageRequest(requirements=pins, packages=packages, builder="docker", lock=lock)
    events: list[Event] = []

    built = make(request, clients, events)

    steps = [(event.name, str(event.state)) for event in events if isinstance(event, ImageStep)]
    assert steps == [(name, state) for name in ("build", "check", "push", "lock") for state in ("running", "done")]
    repository, _, digest = built.image.partition("@")
    pushed = container_engine.docker("images", "--digests", "--format", "{{.Digest}}", repository)
    assert digest in pushed
    output = container_engine.docker(
        "run", *HARDENED, "--entrypoint", "python", f"{repository}:{built.tag}", "-c", FACTS
    )
    assert json.loads(output) == [42, "1.17.0", 65534, "/tmp", "/tmp"]
    assert "six==1.17.0" in lock.read_text().splitlines()
    labels = container_engine.docker("inspect", "--format", "{{json .Config.Labels}}", f"{repository}:{built.tag}")
    assert json.loads(labels)["opengris.python"] == request.python
    assert not (container_engine.folder / "config.json").exists()
    assert make(request, clients, events) == BuiltImage(built.image, built.tag, built=False)
