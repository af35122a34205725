"""What of a folder travels as code, that it is the same bytes everywhere, and what is refused in words."""

from __future__ import annotations

import io
import os
import time
import zipfile
from pathlib import Path

import pytest

from container.batch_job_wire.code_archive import MAX_CODE_BYTES, checked_code
from engine.code.archive import CodeArchive, pack_code
from engine.errors import ConfigError


def project(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def names_in(archive: CodeArchive) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(archive.data)) as opened:
        return opened.namelist()


def test_a_folders_modules_and_their_data_travel_without_ignored_files_caches_environments_and_secrets(
    tmp_path: Path,
) -> None:
    project(
        tmp_path,
        *("pkg/__init__.py", "pkg/rates.json", "tool.py", "secrets.py", "credentials/__init__.py", "uv.lock"),
        *("pkg/__pycache__/a.pyc", "old.pyc", ".git/config", ".env", "prod.env", "server.PEM", "id_rsa", "id_rsa.pub"),
        *("credentials.json", "secrets.toml", "venv/pyvenv.cfg", "venv/lib/x.py", "conda/conda-meta/h"),
        *("pkg.egg-info/PKG-INFO", "out/big.csv", ".aws/credentials", "conda/y.py", "deploy.tfvars", "pkg/tls.key"),
    )
    (tmp_path / ".gitignore").write_text("out/\n")

    assert names_in(pack_code([str(tmp_path)])) == [
        *("0/credentials/__init__.py", "0/pkg/__init__.py", "0/pkg/rates.json", "0/secrets.py", "0/tool.py"),
        "0/uv.lock",
    ]


def test_the_same_files_are_the_same_bytes_whenever_and_wherever_they_lie(tmp_path: Path) -> None:
    first = project(tmp_path / "first", "b.py", "a/__init__.py", "a/data.txt")
    second = project(tmp_path / "other" / "second", "a/data.txt", "a/__init__.py", "b.py")
    os.utime(second / "b.py", (time.time() - 1e6, time.time() - 1e6))
    (second / "b.py").chmod(0o755)

    archive = pack_code([str(first)])

    assert archive == pack_code([str(second)])
    assert archive.digest == "99b81179a33fc2822bd57709344b694e3040dadcd548a60de6b57379a440e2c3"
    assert checked_code(archive.data, archive.digest).namelist() == ["0/a/__init__.py", "0/a/data.txt", "0/b.py"]


def test_other_bytes_are_another_code(tmp_path: Path) -> None:
    root = project(tmp_path, "a.py")
    before = pack_code([str(root)])
    (root / "a.py").write_text("changed")

    assert pack_code([str(root)]).digest != before.digest


def test_a_package_travels_as_itself_and_several_folders_keep_their_order(tmp_path: Path) -> None:
    package = project(tmp_path / "mine", "__init__.py", "core.py")
    more = project(tmp_path / "src", "core.py")

    names = names_in(pack_code([str(package), str(more)]))

    assert names == ["0/mine/__init__.py", "0/mine/core.py", "1/core.py"]


@pytest.mark.parametrize(
    ("file", "module"), [("pkg/_fast.cpython-311-x86_64-linux-gnu.so", "pkg._fast"), ("core.pyd", "core")]
)
def test_a_native_extension_is_refused_by_its_modules_name(tmp_path: Path, file: str, module: str) -> None:
    project(tmp_path, "pkg/__init__.py", file)

    with pytest.raises(ConfigError, match=rf"the module {module} is a native extension .*build-image"):
        pack_code([str(tmp_path)])


def test_links_and_ignored_extensions_are_left_out_and_told(tmp_path: Path) -> None:
    root = project(tmp_path / "root", "a.py", "pkg/_fast.abi3.so")
    project(tmp_path, "elsewhere/secret.py")
    (root / ".gitignore").write_text("*.so\n")
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "linked.py").symlink_to(tmp_path / "elsewhere" / "secret.py")

    archive = pack_code([str(root)])

    assert names_in(archive) == ["0/a.py"]
    assert archive.notes == (
        "left out of the code, symbolic links: linked, linked.py",
        "left out of the code, native extensions that git ignores: pkg._fast; an image can have them",
    )


def test_too_much_is_refused_with_its_largest_file(tmp_path: Path) -> None:
    root = project(tmp_path, "a.py", "data/small.csv")
    with (root / "data" / "prices.bin").open("wb") as file:
        file.truncate(MAX_CODE_BYTES + 1)

    with pytest.raises(ConfigError, match=r"has 32 MiB, but at most 32 can be sent .*data/prices.bin, 32.0 MiB"):
        pack_code([str(root)])


@pytest.mark.parametrize(("file", "why"), [("a:b.py", "a colon"), ("readme.txt", "has no Python module")])
def test_what_can_not_be_sent_is_refused_in_words(tmp_path: Path, file: str, why: str) -> None:
    project(tmp_path, file)

    with pytest.raises(ConfigError, match=why):
        pack_code([str(tmp_path)])


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"the code folder {tmp_path}/nowhere doesn't exist"):
        pack_code([f"{tmp_path}/nowhere"])
