"""From a request to an image in ECR: what is asked of the builder and in which order, and what is told on the way."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from provisioner.clients import Clients
from provisioner.errors import ProvisionError
from provisioner.image.build import BuiltImage, build_and_push, content_of
from provisioner.image.events import Event, ImageStep, OutputLine
from provisioner.image.package_index import OF_PIP, PROXIES
from provisioner.image.registry import find_built, find_newest
from provisioner.image.request import OWN_PYTHON, ImageRequest
from provisioner.stack.naming import Stack
from tests.support.cases import first_now
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.fake_builder import FakeBuilders

STACK = Stack(region=REGION, prefix="sb", account=ACCOUNT, partition="aws")
URI = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/sb-worker"
REQUEST = ImageRequest()
BASE = "sha256:" + "b" * 64
TAG = f"{content_of(REQUEST)}-bbbbbbbb"
TOKEN = "auth-token"
"""In each of moto's passwords."""


class Making:
    """`build_and_push` with everything that it needs, and what came of it."""

    def __init__(self, clients: Clients, builders: FakeBuilders) -> None:
        self.clients = clients
        self.builders = builders
        self.events: list[Event] = []
        self.repositories_asked_for = 0

    def __call__(self, request: ImageRequest = REQUEST) -> BuiltImage:
        return build_and_push(request, self.clients, STACK, self.events.append, self.ensure_repository)

    def ensure_repository(self) -> None:
        self.repositories_asked_for += 1
        if not self.clients.call("ecr", "describe_repositories", {})["repositories"]:
            self.clients.call("ecr", "create_repository", {"repositoryName": STACK.repository})

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(event.name, str(event.state)) for event in self.events if isinstance(event, ImageStep)]

    @property
    def images(self) -> list[Any]:
        return self.clients.listing("ecr", "describe_images", "imageDetails", {"repositoryName": STACK.repository})


@pytest.fixture
def make(clients: Clients, account_url: str, builders: FakeBuilders, monkeypatch: pytest.MonkeyPatch) -> Making:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # a builder pushes with the command's own
        monkeypatch.setenv(name, "test")
    for name in (*OF_PIP, *PROXIES):
        monkeypatch.delenv(name, raising=False)
    builders.install("docker")
    builders.set(python=OWN_PYTHON, ecr=account_url)
    return Making(clients, builders)


def test_an_image_is_built_checked_pushed_and_pinned_by_its_digest(make: Making) -> None:
    built = make()
    assert make.builders.commands == ["version", "image", "build", "run", "login", "push"]
    assert make.builders.call("push")["arguments"] == [f"{URI}:{TAG}"]
    assert built == BuiltImage(f"{URI}@{make.images[0]['imageDigest']}", TAG, built=True)


@pytest.mark.long
def test_each_step_is_told_from_beginning_to_end(make: Making) -> None:
    make()
    running_and_done = [(name, state) for name in ("build", "check", "push") for state in ("running", "done")]
    assert make.steps == running_and_done
    assert OutputLine("build works") in make.events


def test_unchanged_content_builds_nothing_and_needs_no_builder(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make()
    monkeypatch.setenv("PATH", "")
    make.events.clear()
    second = make()
    assert second == BuiltImage(first.image, first.tag, built=False)
    assert make.steps == [("build", "done")]
    assert make.builders.commands.count("build") == 1


@pytest.mark.long
def test_changed_content_gets_an_image_of_its_own(make: Making) -> None:
    images = {make().image, make(ImageRequest(base_image="python:3.11")).image}
    assert len(images) == len(make.images) == 2


def test_without_a_builder_nothing_is_made(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProvisionError, match="No container engine"):
        make()
    assert make.repositories_asked_for == 0


@pytest.mark.long
def test_the_build_gets_python_base_image_and_platform(make: Making) -> None:
    make.builders.set(python="3.12")
    make(ImageRequest(python="3.12", base_image="team/base:1", platform="linux/arm64"))
    arguments = make.builders.call("build")["arguments"]
    assert arguments[:6] == [
        *("--platform", "linux/arm64"),
        *("--build-arg", "PYTHON_VERSION=3.12"),
        *("--build-arg", f"BASE_IMAGE=team/base@{BASE}"),
    ]


def test_the_build_sees_the_context_and_nothing_of_it_is_left(make: Making) -> None:
    make()
    build = make.builders.call("build")
    assert {"Dockerfile", "requirements.txt", "batch_job_runner.py"} < set(build["context"])
    assert not Path(build["arguments"][-1]).exists()


@pytest.mark.long
def test_the_image_is_pushed_alone_without_an_index_around_it(make: Making) -> None:
    make()
    assert make.builders.call("build")["environment"]["BUILDX_NO_DEFAULT_ATTESTATIONS"] == "1"


def test_a_build_that_fails_is_told_and_nothing_is_pushed(make: Making) -> None:
    make.builders.set(fails={"docker build": [1, "ERROR: No matching distribution found for nothing"]})
    with pytest.raises(ProvisionError, match=r"^docker build failed with exit code 1: ERROR: No matching"):
        make()
    assert make.steps == [("build", "running"), ("build", "failed")]
    assert "push" not in make.builders.commands


def test_a_build_for_another_architecture_says_what_is_missing_here(make: Making) -> None:
    make.builders.set(fails={"docker build": [1, "exec /bin/sh: exec format error"]})
    with pytest.raises(ProvisionError, match=r"can't run programs of linux/arm64.*qemu"):
        make(ImageRequest(platform="linux/arm64"))


def test_an_image_of_another_python_is_not_pushed(make: Making) -> None:
    make.builders.set(python="3.10")
    with pytest.raises(ProvisionError, match=rf"has Python 3\.10, but --python is {OWN_PYTHON}, and it must be the cl"):
        make()
    assert make.steps[-1] == ("check", "failed")
    assert "push" not in make.builders.commands


def test_an_image_in_which_the_runner_does_not_start_is_not_pushed(make: Making) -> None:
    make.builders.set(fails={"docker run": [1, "ModuleNotFoundError: No module named 'boto3'"]})
    with pytest.raises(ProvisionError, match=r"docker run failed .*No module named 'boto3'"):
        make()
    assert "push" not in make.builders.commands


@pytest.mark.long
def test_a_builder_that_only_builds_skips_the_check(make: Making) -> None:
    make.builders.install("buildah")
    make(ImageRequest(builder="buildah"))
    assert ("check", "skipped") in make.steps
    assert make.builders.commands == ["info", "inspect", "build", "login", "push"]


@pytest.mark.long
def test_a_push_that_somebody_else_was_faster_with_is_no_failure(make: Making) -> None:
    refused = "tag invalid: The image tag already exists in the 'sb-worker' repository and cannot be overwritten"
    make.builders.set(fails={"docker push": [1, refused]}, pushed_all_the_same=True)
    assert make().image == f"{URI}@{make.images[0]['imageDigest']}"


def test_a_push_that_fails_is_told(make: Making) -> None:
    make.builders.set(fails={"docker push": [1, "denied: User is not authorized to perform: ecr:PutImage"]})
    with pytest.raises(ProvisionError, match=r"^docker push failed with exit code 1: denied: User"):
        make()
    assert make.steps[-1] == ("push", "failed")
    assert make.images == []


@pytest.mark.parametrize("fails", first_now([{}, {"docker login": [1, "no"]}, {"docker push": [1, "no"]}]))
def test_the_registrys_password_is_seen_by_the_login_alone(
    make: Making, fails: dict[str, object], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    make.builders.set(fails=fails)
    message = ""
    try:
        make()
    except ProvisionError as error:
        message = str(error)
    calls = make.builders.calls
    assert TOKEN in next(call.pop("input") for call in calls if call["command"] == "login")
    outputs = [json.dumps(calls), repr(make.events), message, caplog.text, *capfd.readouterr()]
    assert [TOKEN in text for text in outputs] == [False] * len(outputs)
    assert not Path(make.builders.call("login")["environment"]["DOCKER_CONFIG"]).exists()


def test_an_image_is_looked_up_before_there_is_a_repository(clients: Clients) -> None:
    assert (find_built(clients, STACK, "any"), find_newest(clients, STACK, "any")) == (None, None)


@pytest.mark.long
def test_a_base_image_that_is_not_here_is_fetched_for_the_platform(make: Making) -> None:
    make.builders.set(base_comes=True)
    make(ImageRequest(platform="linux/arm64"))
    assert make.builders.commands[:5] == ["version", "image", "pull", "image", "build"]
    base = f"docker.io/library/python:{OWN_PYTHON}-slim"
    assert make.builders.call("pull")["arguments"] == ["--platform", "linux/arm64", base]


@pytest.mark.long
def test_a_base_image_of_this_machine_has_no_digest_of_a_registry_and_is_taken_by_its_name(make: Making) -> None:
    make.builders.set(digests=[])
    assert make().tag.endswith("-11111111")
    assert f"BASE_IMAGE={REQUEST.base}" in make.builders.call("build")["arguments"]


@pytest.mark.long
def test_a_base_image_that_is_given_by_its_digest_is_not_asked_for(make: Making) -> None:
    given = f"team/base@sha256:{'c' * 64}"
    assert make(ImageRequest(base_image=given)).tag.endswith("-cccccccc")
    assert make.builders.commands[:2] == ["version", "build"]


@pytest.mark.long
def test_pull_builds_again_only_when_the_base_has_moved(make: Making) -> None:
    first = make()
    same = make(ImageRequest(pull=True))
    make.builders.set(digests=["python@sha256:" + "d" * 64])
    moved = make(ImageRequest(pull=True))
    assert (same.image, same.built) == (first.image, False)
    assert (moved.tag, moved.built) == (f"{content_of(REQUEST)}-dddddddd", True)
    assert make() == BuiltImage(moved.image, moved.tag, built=False)  # the newest counts


@pytest.mark.long
def test_rebuild_builds_the_same_content_under_a_tag_of_its_own(make: Making) -> None:
    first, second = make(), make(ImageRequest(rebuild=True))
    assert second.built
    assert re.fullmatch(rf"{TAG}-\d{{14}}", second.tag)
    assert make().image == second.image != first.image


@pytest.mark.long
def test_an_index_and_proxies_of_this_machine_are_the_builds(make: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.corp/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "pypi.corp")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.corp:3128")
    make()
    build = make.builders.call("build")
    given = {word for word in build["arguments"] if word.startswith(("PIP", "HTTP"))}
    assert given == {
        "PIP_INDEX_URL=https://pypi.corp/simple",
        "PIP_TRUSTED_HOST=pypi.corp",
        "HTTPS_PROXY=http://proxy.corp:3128",
    }
    assert build["secrets"] == []
    assert "--mount" not in build["recipe"]


def test_passwords_of_an_index_and_a_proxy_are_secrets_of_the_build(
    make: Making, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://ghp_token@pypi.corp/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:p%40ss@other.corp/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2@proxy.corp:3128")
    make.builders.set(fails={"docker build": [1, "error: me:hunter2@proxy.corp refused ghp_token and p@ss"]})
    with pytest.raises(ProvisionError) as caught:
        make()
    build = make.builders.call("build")
    conf = "index-url = https://ghp_token@pypi.corp/simple\nextra-index-url = https://me:p%40ss@other.corp/simple\n"
    assert build["secrets"] == [["pip.conf", f"[global]\n{conf}", 0o600]]
    assert "PIP_CONFIG_FILE=/run/secrets/pip.conf" in build["arguments"]
    assert build["arguments"][build["arguments"].index("HTTPS_PROXY") - 1] == "--build-arg"
    assert build["environment"]["DOCKER_BUILDKIT"] == "1"
    seen = f"{build['arguments']} {build['recipe']} {caught.value} {make.events} {capfd.readouterr()}"
    assert [secret for secret in ("ghp_token", "p%40ss", "p@ss", "hunter2") if secret in seen] == []
    assert "**** refused ****" in seen.replace("@proxy.corp", "")


@pytest.mark.long
def test_each_call_of_pip_can_read_the_secret_and_no_other_step_can(
    make: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:secret@pypi.corp/simple")
    content = make().tag
    recipe = make.builders.call("build")["recipe"].replace("\\\n", "")
    runs = [line for line in recipe.splitlines() if line.startswith("RUN ")]
    mounted = [line.startswith("RUN --mount=type=secret,id=pip.conf,target=/run/secrets/pip.conf ") for line in runs]
    assert mounted == ["-m pip install" in line or "micromamba create" in line for line in runs]
    assert (mounted.count(True), mounted.count(False)) == (3, 1)
    assert content == TAG  # whoever builds it, by whatever index


def test_a_builder_that_knows_no_secrets_is_told_with_the_way_out(make: Making) -> None:
    refusal = "ERROR: BuildKit is enabled but the buildx component is missing or broken."
    make.builders.set(fails={"docker build": [1, refusal]})
    with pytest.raises(ProvisionError, match=r"needs BuildKit: install docker's buildx .* or give --builder podman"):
        make()


@pytest.mark.long
def test_requirements_that_contradict_the_runners_pins_are_told_with_the_way_out(make: Making) -> None:
    said = "The user requested boto3==1.44.5\nERROR: ResolutionImpossible: for help visit https://pip.pypa.io/"
    make.builders.set(fails={"docker build": [1, said]})
    with pytest.raises(ProvisionError, match=r"another boto3 or cloudpickle than the runner's pins: name it in your"):
        make()


def test_the_image_is_labelled_with_what_it_was_made_of(make: Making) -> None:
    make()
    words = make.builders.call("build")["arguments"]
    labels = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--label")
    assert labels == {
        "org.opencontainers.image.title": "scaler-batch worker",
        "org.opencontainers.image.version": version("scaler-batch"),
        "org.opencontainers.image.base.name": f"docker.io/library/python:{OWN_PYTHON}-slim",
        "org.opencontainers.image.base.digest": BASE,
        "opengris.python": OWN_PYTHON,
        "opengris.content": content_of(REQUEST),
    }


INSTALLED = [
    ["boto3", "1.44.5", "Apache-2.0", "", None],
    ["pip", "24.0", "MIT", "", None],
    ["parts", "1.0", "", "", {"url": "file:///app/parts-1.0-py3-none-any.whl"}],
]


def test_a_lock_tells_what_was_installed_and_a_bill_of_materials_is_beside_it(make: Making, tmp_path: Path) -> None:
    make.builders.set(installed=INSTALLED)
    built = make(ImageRequest(lock=tmp_path / "image.lock"))
    text = (tmp_path / "image.lock").read_text().splitlines()
    assert text == [
        f"# In {built.image}. Give this as --requirements to have the same again.",
        "boto3==1.44.5",
        "# parts==1.0, of --package",
    ]
    bill = json.loads((tmp_path / "image.lock.cdx.json").read_text())
    assert [one["purl"] for one in bill["components"]] == [
        "pkg:pypi/boto3@1.44.5",
        "pkg:pypi/parts@1.0",
        "pkg:pypi/pip@24.0",
    ]
    assert make.steps[-1] == ("lock", "done")


@pytest.mark.long
def test_a_lock_of_an_image_that_is_in_ecr_is_read_out_of_that_one(make: Making, tmp_path: Path) -> None:
    first = make()
    make.builders.set(installed=INSTALLED)
    assert make(ImageRequest(lock=tmp_path / "image.lock")) == BuiltImage(first.image, first.tag, built=False)
    assert make.builders.call("pull")["arguments"] == ["--platform", "linux/amd64", first.image]
    assert "boto3==1.44.5" in (tmp_path / "image.lock").read_text()


def test_a_lock_needs_a_builder_that_runs_containers(make: Making, tmp_path: Path) -> None:
    make.builders.install("buildah")
    with pytest.raises(ProvisionError, match="--lock needs a builder that runs containers, and buildah doesn't"):
        make(ImageRequest(builder="buildah", lock=tmp_path / "image.lock"))
    assert make.repositories_asked_for == 0
