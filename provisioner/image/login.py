"""Login to a registry for the time of a push, with nothing left of it: no file, no keychain entry, no argument."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from provisioner.image.builder import ImageBuilder
from provisioner.image.programs import run_captured
from provisioner.image.registry import Credentials

CONFIG_FILE: Final = "config.json"
ABOUT_LOGINS: Final = frozenset({"auths", "credsStore", "credHelpers"})


@contextmanager
def logged_in(
    builder: ImageBuilder, registry: str, credentials: Credentials, environment: Mapping[str, str]
) -> Iterator[dict[str, str]]:
    """Environment in which the builder may push to the registry. Raises `ProvisionError` when it is refused.

    docker and finch read DOCKER_CONFIG, podman and buildah REGISTRY_AUTH_FILE.
    """
    with tempfile.TemporaryDirectory(prefix="scaler-batch-login-") as folder:
        settings = Path(folder, CONFIG_FILE)
        private = {**environment, "DOCKER_CONFIG": folder, "REGISTRY_AUTH_FILE": str(settings)}
        _take_over(_own_folder(environment), Path(folder))
        settings.write_text(json.dumps(_settings(_own_folder(environment), registry)))
        try:
            login = builder.login(registry, credentials.user)
            run_captured(f"{builder.name} login", login, private, secret=credentials.password)
            yield private
        finally:
            if builder.keeps_logins:
                run_captured(f"{builder.name} logout", builder.logout(registry), private)


def _own_folder(environment: Mapping[str, str]) -> Path:
    given = environment.get("DOCKER_CONFIG")
    return Path(given) if given else Path(environment.get("HOME", "/"), ".docker")


def _take_over(own: Path, folder: Path) -> None:
    """The person's contexts, plug-ins and certificates: without them docker would talk to another daemon."""
    for entry in own.iterdir() if own.is_dir() else ():
        if entry.name != CONFIG_FILE:
            (folder / entry.name).symlink_to(entry.absolute())


def _settings(own: Path, registry: str) -> dict[str, object]:
    """The person's settings without their logins.

    The empty entry matters: into a file without any, docker would put the keychain as the place for passwords.
    """
    try:
        found = json.loads((own / CONFIG_FILE).read_text())
    except (OSError, ValueError):  # docker works without it, too
        found = {}
    return {key: value for key, value in found.items() if key not in ABOUT_LOGINS} | {"auths": {registry: {}}}
