"""Code of the user's own that a job has besides its image: fetched, checked, unpacked and searched first."""

from __future__ import annotations

import io
import os
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from container.batch_job_wire.code_archive import MAX_CODE_BYTES, CodeError, checked_code
from container.batch_job_wire.payload_forms import payload_form, to_inline
from container.batch_job_wire.payload_frames import Blob, encode_payload
from container.batch_job_wire.protocol import WITH_CODE, job_options
from container.batch_job_wire.result_frames import decode_result
from container.batch_job_wire.results import ResultMeta, ResultStatus
from engine.code.archive import CodeArchive, pack_code
from tests.support.cases import first_now
from tests.support.runner.client import STORE, payload, start_runner
from tests.support.runner.s3_stand_in import S3StandIn

SUBMISSION = "5" * 32
TASK_ID = bytes(range(16))
RESULT = f"/{STORE}/results/{SUBMISSION}/{TASK_ID.hex()}"
REFERENCE = b"cmine.prices\nprice\n."
"""A function of a module, as pickle refers to it."""
Member = tuple[str, str]


def code_of(tmp_path: Path, **modules: str) -> CodeArchive:
    package = tmp_path / "mine"
    package.mkdir()
    for name, text in {"__init__": "", **modules}.items():
        (package / f"{name}.py").write_text(text)
    return pack_code([str(package)])


def run(s3: S3StandIn, tmp: Path, code: CodeArchive | None, *, mark: str = WITH_CODE, digest: str = "") -> str:
    """Run `mine.prices.price()`; the runner's log, its exit code in front."""
    serializer, _, *rest = payload(None, ())
    text = to_inline(encode_payload([(TASK_ID, [serializer, Blob.of(REFERENCE), *rest])]))
    options = "region=us-east-1"
    if code is not None:
        s3.objects.setdefault(f"/{STORE}/objects/{code.digest}", code.data)
        options += f";code={digest or code.digest}"
    process = start_runner(s3.endpoint, SUBMISSION, mark + text, options=options, TMPDIR=str(tmp))
    _, log = process.communicate(timeout=60)
    return f"{process.returncode} {log.decode()}"


def result(s3: S3StandIn) -> tuple[ResultMeta, Any]:
    meta, body = decode_result(s3.objects[RESULT], TASK_ID)
    return meta, pickle.loads(body)


def gets(s3: S3StandIn, digest: str) -> int:
    return s3.requests.count(("GET", f"/{STORE}/objects/{digest}"))


PRICE = """
import os, subprocess, sys

def price():
    here = os.path.dirname(__file__)
    child = subprocess.run([sys.executable, "-c", "import mine.prices; print(mine.prices.__file__)"],
                           capture_output=True, text=True)
    return {"file": __file__, "modes": [oct(os.stat(one).st_mode & 0o777) for one in (here, __file__)],
            "child": child.stdout.strip()}
"""


def test_modules_come_from_the_code_read_only_and_once_for_all_jobs_of_a_container(
    s3: S3StandIn, tmp_path: Path
) -> None:
    code = code_of(tmp_path, prices=PRICE)

    logs = [run(s3, tmp_path, code) for _ in range(2)]

    assert [log[0] for log in logs] == ["0", "0"], logs
    _, told = result(s3)
    file = tmp_path / f"scaler-batch-code-{os.geteuid()}" / code.digest / "0" / "mine" / "prices.py"
    assert told == {"file": str(file), "modes": ["0o555", "0o444"], "child": str(file)}
    assert gets(s3, code.digest) == 1


@pytest.mark.long
def test_a_folder_that_somebody_else_may_write_to_is_not_shared(s3: S3StandIn, tmp_path: Path) -> None:
    code = code_of(tmp_path, prices="def price(): return 'ours'")
    shared = tmp_path / f"scaler-batch-code-{os.geteuid()}"
    planted = shared / code.digest / "0" / "mine"
    planted.mkdir(parents=True)
    shared.chmod(0o777)
    (planted / "__init__.py").write_text("")
    (planted / "prices.py").write_text("def price(): return 'planted'")

    assert run(s3, tmp_path, code)[0] == "0"
    assert result(s3)[1] == "ours"


def test_altered_code_and_missing_code_are_an_error_of_the_task(s3: S3StandIn, tmp_path: Path) -> None:
    code = code_of(tmp_path, prices="def price(): return 1")
    s3.objects[f"/{STORE}/objects/{code.digest}"] = code.data + b"x"

    assert run(s3, tmp_path, code)[0] == "2"
    meta, error = result(s3)
    assert meta.status is ResultStatus.UNLOADABLE
    assert f"the code {code.short} was altered" in str(error)

    del s3.objects[RESULT]
    assert run(s3, tmp_path, code, digest="a" * 64)[0] == "2"
    assert "doesn't exist" in str(result(s3)[1])


@pytest.mark.parametrize("mark", first_now(["", WITH_CODE]))
def test_option_and_mark_come_together_or_nothing_is_run(s3: S3StandIn, tmp_path: Path, mark: str) -> None:
    code = None if mark else code_of(tmp_path, prices="def price(): return 1")

    log = run(s3, tmp_path, code, mark=mark)

    assert log.startswith("2 ")
    assert "can't tell which task to run: the option code is" in log
    assert RESULT not in s3.objects


def test_an_old_image_refuses_the_mark() -> None:
    """What release 0.1 does with the payload parameter: look for a form that it knows before the first colon."""
    text = WITH_CODE + to_inline(b"frame")
    prefix, _, _ = text.partition(":")
    assert prefix not in ("b", "z")
    assert not text.startswith("s3")
    assert payload_form(text) is payload_form("b:")


@pytest.mark.long
def test_a_module_that_is_nowhere_is_said_with_what_helps(s3: S3StandIn, tmp_path: Path) -> None:
    code = code_of(tmp_path, prices="import absent")

    run(s3, tmp_path, code)

    assert "add the module 'absent' to the container image, or send it along with --code" in str(result(s3)[1])


def zipped(*members: Member, mode: int = stat.S_IFREG | 0o444, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, text in members:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, compression
            archive.writestr(info, text)
    return buffer.getvalue()


HOSTILE = {
    "leads out": zipped(("0/../../etc/x.py", "")),
    "is absolute": zipped(("/etc/x.py", "")),
    "begins nowhere": zipped(("x.py", "")),
    "has a backslash": zipped(("0/..\\x.py", "")),
    "has a drive": zipped(("0/c:x.py", "")),
    "has no name": zipped(("0//x.py", "")),
    "is a folder": zipped(("0/x/", "")),
    "is a link": zipped(("0/x.py", "/etc/passwd"), mode=stat.S_IFLNK | 0o777),
    "is a bomb": zipped(("0/x.py", "0" * 5_000_000), compression=zipfile.ZIP_DEFLATED),
    "is no archive": b"PK or not",
    "is empty bytes": b"",
    "is too large": b"\0" * (MAX_CODE_BYTES + 1),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_an_archive_that_the_packer_never_makes_is_refused(data: bytes) -> None:
    with pytest.raises(CodeError):
        checked_code(data, CodeArchive.of(data, 0).digest)


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped(("0/x.py", "1"), ("0/x.py", "2"))

    with pytest.raises(CodeError, match="twice"):
        checked_code(data, CodeArchive.of(data, 0).digest)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("none", {}),
        ("region=eu-west-1;code=abc", {"region": "eu-west-1", "code": "abc"}),
        (" a = b=c ;;x", {"a": "b=c"}),
    ],
)
def test_options_are_read_as_pairs(text: str, pairs: dict[str, str]) -> None:
    assert job_options(text) == pairs
