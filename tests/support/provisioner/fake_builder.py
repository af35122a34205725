"""Stands for docker, podman, buildah or finch: keeps what it was asked, and fails where it is told to.

It runs as a program of that name. Its settings are the JSON next to it; a push puts the image into ECR there.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class FakeBuilders:
    """Folder for PATH with builders in it."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def install(self, *names: str) -> None:
        for name in names:
            program = self.folder / name
            program.write_text(f"#!{sys.executable}\n{Path(__file__).read_text()}\nmain()\n")
            program.chmod(0o755)

    def set(self, **settings: Any) -> None:
        """`fails`: {"docker push": [exit code, output]}; `takes`: {"push": seconds}; `python`: what `run` finds;
        `installed`: what pip finds in the image; `digests`: of the base image; `base_comes`: it is there once it was
        pulled; `ecr`: the endpoint that a push goes to.
        """
        self.settings |= settings
        (self.folder / "settings.json").write_text(json.dumps(self.settings))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """What was asked: command, arguments, input, environment, and what the login's folder held."""
        path = self.folder / "calls.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def commands(self) -> list[str]:
        return [call["command"] for call in self.calls]

    def call(self, command: str) -> dict[str, Any]:
        (found,) = [call for call in self.calls if call["command"] == command]
        return found


def main() -> None:
    home = Path(sys.argv[0]).parent
    settings = json.loads((home / "settings.json").read_text()) if (home / "settings.json").exists() else {}
    command, arguments = sys.argv[1], sys.argv[2:]
    keep(home, command, arguments)
    code, output = settings.get("fails", {}).get(f"{Path(sys.argv[0]).name} {command}", (0, f"{command} works"))
    if command in ("image", "inspect"):
        inspect(home, settings)
        return
    print(output)
    sys.stdout.flush()
    time.sleep(settings.get("takes", {}).get(command, 0))
    if code == 0 and command == "run":
        print(json.dumps(settings["installed"]) if "inspect" in arguments[-1] else settings["python"])
    if command == "push" and (code == 0 or settings.get("pushed_all_the_same")):
        put_image(settings["ecr"], arguments[-1])
    sys.exit(code)


def inspect(home: Path, settings: dict[str, Any]) -> None:
    """The digests and the id of the base image, if it is there."""
    pulled = '"command": "pull"' in (home / "calls.jsonl").read_text()
    if settings.get("base_comes") and not pulled:
        sys.exit("No such image")
    print(
        json.dumps(settings.get("digests", ["python@sha256:" + "b" * 64]), separators=(",", ":")), "sha256:" + "1" * 64
    )


def keep(home: Path, command: str, arguments: list[str]) -> None:
    configuration = os.environ.get("DOCKER_CONFIG", "")
    private = command in ("login", "push", "logout")
    call = {
        "builder": Path(sys.argv[0]).name,
        "command": command,
        "pid": os.getpid(),
        "arguments": arguments,
        "input": sys.stdin.read() if command == "login" else "",
        "environment": dict(os.environ),
        "held": sorted(os.listdir(configuration)) if private else [],
        "settings": json.loads(Path(configuration, "config.json").read_text()) if private else None,
        "mode": os.stat(configuration).st_mode & 0o777 if private else 0,
        "context": sorted(os.listdir(arguments[-1])) if command == "build" else [],
        "recipe": Path(arguments[-1], "Dockerfile").read_text() if command == "build" else "",
        "secrets": [secret(word) for word in arguments if word.startswith("id=")],
    }
    with (home / "calls.jsonl").open("a") as file:
        file.write(json.dumps(call) + "\n")


def secret(word: str) -> list[Any]:
    """Id, content and mode of a secret's file."""
    name, _, path = word.removeprefix("id=").partition(",src=")
    return [name, Path(path).read_text(), os.stat(path).st_mode & 0o777]


def put_image(endpoint: str, image: str) -> None:
    """A different image for each call, as far as ECR can tell; without boto3, whose import takes longest."""
    import urllib.request  # only a push pays for it

    registry, _, repository = image.partition("/")
    name, _, tag = repository.partition(":")
    media_type = "application/vnd.docker.distribution.manifest.v2+json"
    digest = f"sha256:{os.urandom(32).hex()}"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": media_type, "config": {"digest": digest}, "layers": []})
    put = {"repositoryName": name, "imageTag": tag, "imageManifest": manifest, "imageDigest": digest}
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/{registry.split('.')[3]}/ecr/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "AmazonEC2ContainerRegistry_V20150921.PutImage",
    }
    urllib.request.urlopen(urllib.request.Request(endpoint, json.dumps(put).encode(), headers)).close()
