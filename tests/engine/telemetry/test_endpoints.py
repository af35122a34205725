"""Endpoints: how an engine is found, and how its private folder stays private and truthful."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.errors import ConfigError, EngineError
from engine.telemetry.endpoints import (
    LONGEST_SOCKET_PATH,
    Endpoint,
    claim_folder,
    find_endpoint,
    list_engines,
    runtime_folder,
)
from tests.support.socket_places import short_folder


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder() as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
        yield folder


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_claimed_folder_is_ours_alone_and_goes_with_its_engine(runtime: Path) -> None:
    with claim_folder("wm-1") as claimed:
        assert list_engines() == [], "nobody is listed before it can answer"
        claimed.write_info(("wm-1",), "0.1.0")
        [found] = list_engines()
        assert (found.name, found.info.pid, found.info.managers) == ("wm-1", os.getpid(), ("wm-1",))
        assert [mode(path) for path in (runtime / "scaler-batch", claimed.folder)] == [0o700, 0o700]
        assert mode(claimed.folder / "engine.json") == 0o600
    assert not (runtime / "scaler-batch").exists()


def test_two_engines_of_one_name_are_told_apart() -> None:
    with claim_folder("wm-1") as first, claim_folder("wm-1") as second:
        assert (first.folder.name, second.folder.name) == ("wm-1", f"wm-1-{os.getpid()}")


def test_a_killed_engine_is_dead_at_once_and_its_place_is_taken_over() -> None:
    program = (
        "from engine.telemetry.endpoints import claim_folder\n"
        "import time\n"
        "with claim_folder('wm-1') as claimed:\n"
        "    claimed.write_info(('wm-1',), '0')\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-P", "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    assert [engine.name for engine in list_engines()] == ["wm-1"]
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert list_engines() == []
    with claim_folder("wm-2"):
        assert [folder.name for folder in runtime_folder().iterdir()] == ["wm-2"], "what the dead one left is gone"
    with claim_folder("wm-1") as successor:
        assert successor.folder.name == "wm-1"


def test_a_long_name_still_fits_a_socket() -> None:
    with claim_folder("m" * 64) as first, claim_folder("m" * 63 + "x") as second:
        assert first.folder != second.folder
        publish = Endpoint.ipc(first.folder.with_name(f"{first.folder.name}-1234567")).publish
        assert len(publish.removeprefix("ipc://")) <= LONGEST_SOCKET_PATH


def test_a_long_runtime_folder_is_replaced_by_one_in_the_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: Path
) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr("tempfile.tempdir", str(runtime))
    assert runtime_folder() == runtime / f"scaler-batch-{os.geteuid()}"


def test_a_long_temporary_folder_is_replaced_by_a_short_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runtime: Path
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("d" * 100)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("t" * 100)))
    monkeypatch.setattr("engine.telemetry.endpoints.SHORT_TEMPORARY", runtime)
    assert runtime_folder() == runtime / f"scaler-batch-{os.geteuid()}"


def test_a_folder_that_others_may_enter_is_refused(monkeypatch: pytest.MonkeyPatch, runtime: Path) -> None:
    (runtime / f"scaler-batch-{os.geteuid()}").mkdir(mode=0o755)
    (runtime / "scaler-batch").mkdir()
    (runtime / "scaler-batch").chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(runtime))
    with pytest.raises(EngineError, match="0700"):
        runtime_folder()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, runtime: Path) -> Path:
    """The folder that is left when XDG_RUNTIME_DIR is unusable."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / "missing" / "too"))
    folder = runtime / "tmp"
    folder.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_temporary_folder_of_everybody_will_do_with_the_sticky_bit(temporary: Path) -> None:
    temporary.chmod(0o1777)
    assert runtime_folder() == temporary / f"scaler-batch-{os.geteuid()}"


@pytest.mark.parametrize("writable", [0o777, 0o770, 0o702])
def test_a_folder_in_one_that_others_may_write_to_is_refused(temporary: Path, writable: int) -> None:
    temporary.chmod(writable)
    with pytest.raises(EngineError, match="nobody else may write to"):
        runtime_folder()


@pytest.mark.parametrize("mode_of_it", [0o755, 0o777, 0o710])
def test_a_temporary_folder_of_ours_that_others_may_enter_is_refused(temporary: Path, mode_of_it: int) -> None:
    folder = temporary / f"scaler-batch-{os.geteuid()}"
    folder.mkdir()
    folder.chmod(mode_of_it)
    with pytest.raises(EngineError, match="mode 0700") as refused:
        runtime_folder()
    assert "\n" not in str(refused.value)
    assert mode(folder) == mode_of_it


def test_a_temporary_folder_is_ours_alone_from_its_beginning(temporary: Path) -> None:
    before = os.umask(0)
    try:
        assert mode(runtime_folder()) == 0o700
    finally:
        os.umask(before)


def test_a_link_is_refused(temporary: Path) -> None:
    target = temporary / "target"
    target.mkdir(mode=0o700)
    (temporary / f"scaler-batch-{os.geteuid()}").symlink_to(target)
    with pytest.raises(EngineError, match="must be a directory of yours"):
        runtime_folder()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a stranger's folder")
@pytest.mark.parametrize("strange", ["", f"scaler-batch-{os.geteuid()}"])
def test_a_strangers_folder_is_refused(temporary: Path, strange: str) -> None:
    (temporary / f"scaler-batch-{os.geteuid()}").mkdir(mode=0o700)
    os.chown(temporary / strange, 12345, 12345)
    with pytest.raises(EngineError, match="must be a directory of yours") as refused:
        runtime_folder()
    assert "\n" not in str(refused.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a stranger's link")
def test_a_strangers_link_to_a_folder_of_ours_is_refused(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = temporary / "link"
    link.symlink_to(temporary)
    os.lchown(link, 12345, 12345)
    monkeypatch.setattr("tempfile.tempdir", str(link))
    with pytest.raises(EngineError, match="must be a directory of yours"):
        runtime_folder()


def test_without_the_variable_it_is_where_systemd_has_it(monkeypatch: pytest.MonkeyPatch, runtime: Path) -> None:
    (runtime / str(os.geteuid())).mkdir(mode=0o700)
    monkeypatch.setattr("engine.telemetry.endpoints.USERS_RUNTIME_FOLDERS", runtime)
    for unusable in (None, "", "relative"):
        if unusable is None:
            monkeypatch.delenv("XDG_RUNTIME_DIR")
        else:
            monkeypatch.setenv("XDG_RUNTIME_DIR", unusable)
        assert runtime_folder() == runtime / str(os.geteuid()) / "scaler-batch"


def test_the_only_engine_is_found_without_a_name() -> None:
    with pytest.raises(EngineError, match="no engine runs here") as none:
        find_endpoint(None)
    assert none.value.exit_code == 1
    with claim_folder("wm-1") as claimed:
        claimed.write_info(("wm-1", "wm-gpu"), "0")
        for wanted in (None, "wm-1", "wm-gpu", str(claimed.folder)):
            assert find_endpoint(wanted) == Endpoint.ipc(claimed.folder)
        with pytest.raises(EngineError, match="wm-1"):
            find_endpoint("wm-3")


def test_several_engines_are_listed() -> None:
    with claim_folder("wm-1") as first, claim_folder("wm-2") as second:
        for claimed in (first, second):
            claimed.write_info((claimed.folder.name,), "0")
        with pytest.raises(ConfigError, match="wm-1, wm-2"):
            find_endpoint(None)
        assert find_endpoint("wm-2").name == "wm-2"


def test_an_engine_that_listens_elsewhere_is_found_by_its_name() -> None:
    with claim_folder("wm-1") as claimed:
        claimed.write_info(("wm-1",), "0", "tcp://10.0.0.1:27500")
        assert find_endpoint("wm-1").control == "tcp://10.0.0.1:27502"


def test_an_address_has_three_ports() -> None:
    endpoint = find_endpoint("tcp://hpc-01:27500")
    assert (endpoint.publish, endpoint.view, endpoint.control) == (
        "tcp://hpc-01:27500",
        "tcp://hpc-01:27501",
        "tcp://hpc-01:27502",
    )


@pytest.mark.parametrize(
    "address", ["tcp://hpc-01", "tcp://:27500", "http://a:1", "tcp://a:65534", "tcp://a:0", "tcp://a:x"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="tcp://host:port"):
        find_endpoint(address)
