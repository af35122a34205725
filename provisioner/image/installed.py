"""Packages that are in an image, as pip tells them there: a lock file, and a bill of materials beside it.

https://pip.pypa.io/en/stable/reference/inspect-report/ and https://cyclonedx.org/docs/1.5/json/
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from provisioner.errors import ProvisionError
from provisioner.image.requirements import has_login

INSPECT: Final = """
import json, subprocess, sys
report = subprocess.run([sys.executable, "-m", "pip", "inspect"], stdout=subprocess.PIPE, check=True).stdout
found = [(one["metadata"], one.get("direct_url")) for one in json.loads(report)["installed"]]
names = ("name", "version", "license_expression", "license")
print(json.dumps([[*(data.get(name) or "" for name in names), url] for data, url in found]))
"""
"""Prints one line at the end: of each package the name, the version, licenses, and from where it came."""

INSTALLERS: Final = frozenset({"pip", "setuptools", "wheel"})
"""Of the base image; pip installs no other one of these in its place."""

LONGEST_LICENSE: Final = 100
"""Some packages have the whole text there."""


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """Package in an image; `source` is the URL that it was installed from, if not an index."""

    name: str
    version: str
    license: str = ""
    source: str = ""

    @property
    def requirement(self) -> str:
        """Line of a requirements file; a comment for a wheel that was in the build's folder alone."""
        if self.source.startswith("file:"):
            return f"# {self.name}=={self.version}, of --package"
        return f"{self.name} @ {self.source}" if self.source else f"{self.name}=={self.version}"


def parse_installed(line: str) -> list[InstalledPackage]:
    """Packages in the order of their names, of the line that `INSPECT` prints. Raises `ProvisionError`."""
    try:
        entries = [_package(*entry) for entry in json.loads(line)]
    except (ValueError, TypeError) as error:
        raise ProvisionError("The image's pip doesn't tell what is installed: it must be 22.2 or newer.") from error
    return sorted(entries, key=lambda one: one.name.lower())


def write_lock(path: Path, packages: Sequence[InstalledPackage], image: str) -> Path:
    """Write a requirements file and the bill of materials, whose path it returns. Raises `ProvisionError`."""
    bill = path.with_name(f"{path.name}.cdx.json")
    try:
        path.write_text(lock_text(packages, image), encoding="utf-8")
        bill.write_text(json.dumps(bill_of_materials(packages, image), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ProvisionError(f"--lock {path} can't be written ({error.strerror}): name another place.") from error
    return bill


def lock_text(packages: Sequence[InstalledPackage], image: str) -> str:
    """Text of a requirements file that installs the same again, whatever is released meanwhile."""
    lines = [one.requirement for one in packages if one.name.lower() not in INSTALLERS]
    return "\n".join([f"# In {image}. Give this as --requirements to have the same again.", *lines, ""])


def bill_of_materials(packages: Sequence[InstalledPackage], image: str) -> dict[str, object]:
    """CycloneDX document of an image's Python packages."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": image}},
        "components": [_component(one) for one in packages],
    }


def _component(package: InstalledPackage) -> dict[str, object]:
    url = f"pkg:pypi/{quote(package.name.lower().replace('_', '-'))}@{quote(package.version)}"
    found: dict[str, object] = {"type": "library", "name": package.name, "version": package.version}
    found |= {"bom-ref": url, "purl": url}
    return {**found, "licenses": [{"license": {"name": package.license}}]} if package.license else found


def _package(
    name: str, version: str, expression: str, text: str, direct_url: dict[str, Any] | None
) -> InstalledPackage:
    license = expression or text.partition("\n")[0][:LONGEST_LICENSE]
    return InstalledPackage(name, version, license, _source(direct_url) if direct_url else "")


def _source(direct_url: dict[str, Any]) -> str:
    """https://packaging.python.org/en/latest/specifications/direct-url-data-structure/"""
    url, vcs = str(direct_url["url"]), direct_url.get("vcs_info")
    if has_login(url):  # pip leaves out what it knows for a login
        return ""
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}" if vcs else url
