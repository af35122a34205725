"""build-image with a real builder and a registry that asks for its password: the users' own code is in the image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.clients import Clients
from provisioner.image.build import BuiltImage, build_and_push
from provisioner.image.events import Event, ImageStep, OutputLine
from provisioner.image.request import ImageRequest
from provisioner.local.aws import LocalAWS
from provisioner.stack.naming import Stack
from tests.support.docker.base_image import TAG
from tests.support.docker.debian_layer import write_debian_layer
from tests.support.docker.engine import ContainerEngine, secret_search_path
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.private_index import private_index
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


DEBIAN = "debian-base:1"
USER, PASSWORD = "builder", "hunter2-f00d"
BEHIND_PASSWORD = """
import parts, subprocess
print(parts.VALUE, subprocess.run(["hello"], capture_output=True, text=True).stdout)
"""


@pytest.fixture
def debian_base(container_engine: ContainerEngine, tmp_path: Path) -> str:
    folder = tmp_path / "debian"
    folder.mkdir()
    write_debian_layer(folder / "debian.tar")
    (folder / "Dockerfile").write_text(f"FROM {TAG}\nADD debian.tar /\nENV PATH=/usr/local/bin:/usr/bin:/usr/sbin\n")
    container_engine.docker("build", "--tag", DEBIAN, str(folder))
    return DEBIAN


def wheel_of(folder: Path) -> Path:
    write_project(folder)
    build = "import backend; print(backend.build_wheel('.'))"
    return folder / subprocess.check_output([sys.executable, "-c", build], cwd=folder, text=True).strip()


def image_and_history(engine: ContainerEngine, image: str) -> bytes:
    """All layers, which are not compressed, with configuration and history."""
    saved = subprocess.check_output(["docker", "save", image], env={**os.environ, **engine.environ})
    return saved + engine.docker("history", "--no-trunc", image).encode() + engine.docker("inspect", image).encode()


def test_debian_packages_and_what_is_behind_a_password_are_in_the_image_and_the_password_is_nowhere(
    container_engine: ContainerEngine,
    clients: Clients,
    debian_base: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not (path := secret_search_path()):
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse("docker here builds without secrets: apt-get install docker-buildx")
    monkeypatch.setenv("PATH", path)
    gateway = container_engine.docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("parts==1.0\n")
    request = ImageRequest(requirements=wanted, base_image=debian_base, apt=("hello",), builder="docker")
    events: list[Event] = []

    with private_index(gateway.strip(), wheel_of(tmp_path / "parts"), f"{USER}:{PASSWORD}") as place:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"http://{USER}:{PASSWORD}@{place}/simple")
        monkeypatch.setenv("PIP_TRUSTED_HOST", gateway.strip())
        built = make(request, clients, events)

    image = f"{built.image.partition('@')[0]}:{built.tag}"
    said = container_engine.docker("run", *HARDENED, "--entrypoint", "python", image, "-c", BEHIND_PASSWORD)
    assert said.split() == ["42", "Hello,", "world!"]
    everything = image_and_history(container_engine, image)
    assert b"Name: parts" in everything
    assert PASSWORD.encode() not in everything
    assert [one for one in events if isinstance(one, OutputLine) and PASSWORD in one.text] == []
