"""Terraform itself, where it is installed, on our configuration without the provider of AWS, which has to be fetched.

In its twin each resource of AWS is a `terraform_data`, which Terraform brings along, of the same arguments: Terraform
then reads every expression, finds all that is referred to, and works out values. The provider's own names and types of
arguments are not looked at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support.provisioner.account import ACCOUNT, REGION

Properties = dict[str, Any]

OF_DATA = {
    "data.aws_caller_identity.current.account_id": ACCOUNT,
    "data.aws_partition.current.partition": "aws",
    "data.aws_partition.current.dns_suffix": "amazonaws.com",
    "data.aws_region.current.region": REGION,
}
ADDRESS = re.compile(r"\b(aws_\w+)\.(\w+)((?:\[0\])?)(?=\.)")
TWIN = r"terraform_data.\1-\2\3.input"
KNOWN_AFTER_APPLY = {"arn": "arn:of:it", "id": "id-of-it", "latest_version": 1}
"""What only AWS knows of a resource."""


def installed_terraform() -> str | None:
    return shutil.which("terraform")


def planned_by_terraform(configuration: Properties, folder: Path, **variables: object) -> Properties:
    """Arguments of each resource by its address, with outputs. Raises `RuntimeError` for what it refuses."""
    (folder / "main.tf.json").write_text(json.dumps(twin_of(configuration)))
    (folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    run(folder, "init", "-input=false")
    said = json.loads(run(folder, "validate", "-json"))
    assert (said["valid"], said["diagnostics"]) == (True, [])
    run(folder, "plan", "-input=false", "-out=plan")
    planned = json.loads(run(folder, "show", "-json", "plan"))["planned_values"]
    made = {one["name"].replace("-", "."): one["values"]["input"] for one in planned["root_module"]["resources"]}
    return made | {name: one["value"] for name, one in planned["outputs"].items()}


def twin_of(configuration: Properties) -> Properties:
    resources = {
        f"{kind}-{name}": _twin(arguments)
        for kind, named in configuration["resource"].items()
        for name, arguments in named.items()
    }
    rest = {name: configuration[name] for name in ("variable", "locals", "output")}
    version = configuration["terraform"]["required_version"]
    twin = json.dumps({"resource": {"terraform_data": resources}, **rest})
    for name, value in OF_DATA.items():
        twin = twin.replace(f"${{{name}}}", value)
    return {"terraform": {"required_version": version}, **json.loads(ADDRESS.sub(TWIN, twin))}


def _twin(arguments: Properties) -> Properties:
    own = {name: one for name, one in arguments.items() if name in ("count", "depends_on")}
    if "depends_on" in own:
        own["depends_on"] = [f"terraform_data.{one.replace('.', '-')}" for one in own["depends_on"]]
    return {**own, "input": {**KNOWN_AFTER_APPLY, **{key: one for key, one in arguments.items() if key not in own}}}


def run(folder: Path, *words: str) -> str:
    """Without this machine's settings of Terraform, and without a look for newer releases."""
    environ = {name: one for name, one in os.environ.items() if not name.startswith("TF_")}
    environ |= {"CHECKPOINT_DISABLE": "1", "TF_CLI_ARGS": "-no-color"}
    done = subprocess.run(["terraform", *words], cwd=folder, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"terraform {words[0]}: {done.stdout}{done.stderr}")
    return done.stdout
