"""Handle of a local AWS process: start, control and stop it. Needs none of moto here."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

import scaler_batch
from engine.errors import EngineError
from provisioner.local.faults.faults import Fault, parse_fault
from provisioner.local.http.access_key import CONTROL_HEADER, AccessKey
from provisioner.local.no_proxy import no_proxy
from provisioner.local.options import Delays, LocalAWSOptions

READY: Final = "READY "
STOP_S: Final = 10.0
SAID_CHARACTERS: Final = 2000


class LocalAWSError(EngineError):
    """The local AWS did not start; the text holds what it said last."""


class LocalAWS:
    """One local AWS process. `options` are the fields of `LocalAWSOptions` besides state_dir.

    Without a state_dir a temporary one is made and removed again. The process ends with this one, however
    this one ends. Raises `FaultSyntaxError` when one of the faults can't be read.
    """

    def __init__(self, state_dir: str | os.PathLike[str] | None = None, **options: Any) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="local-aws-") if state_dir is None else None
        self.state_dir = Path(state_dir or self._temporary.name)  # type: ignore[union-attr]
        self.options = msgspec.convert(
            {"state_dir": str(self.state_dir), **msgspec.to_builtins(options)}, LocalAWSOptions
        )
        for fault in self.options.faults:
            parse_fault(fault)
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = ""
        self.access_key = AccessKey()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def log_path(self) -> Path:
        """File that holds what the process writes to standard error."""
        return self.state_dir / "local-aws.log"

    @property
    def pid(self) -> int:
        """Process id. Raises `LocalAWSError` when it isn't running."""
        return self._running().pid

    def start(self) -> None:
        """Start it, and return when it answers. Raises `LocalAWSError`."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process without waiting for it: `wait_ready` has to follow."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        options = msgspec.json.encode(self.options).decode()
        command = scaler_batch.command("provisioner.local", "--state-dir", str(self.state_dir))
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--options", options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self.access_key.environment()},  # others can read arguments, and not this
                start_new_session=True,  # a terminal's Ctrl-C is for us; we decide when it ends
            )

    def wait_ready(self) -> None:
        """Return when it answers. Raises `LocalAWSError` with the end of its log."""
        output = self._running().stdout
        line = output.readline().decode() if output is not None else ""
        if not line.startswith(READY):
            log = self.log_path.read_text(errors="replace")
            self.stop()
            raise LocalAWSError(f"The local AWS did not start; it said: {log[-SAID_CHARACTERS:]}")
        self.endpoint = line.removeprefix(READY).strip()

    def stop(self) -> None:
        """End the process and every job; nothing is left."""
        process, self._process = self._process, None
        if process is not None:
            end(process)
        if self._temporary is not None:
            self._temporary.cleanup()

    def environment(self) -> dict[str, str]:
        """The variables by which boto3 finds it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            **self.access_key.environment(),
            "AWS_DEFAULT_REGION": self.options.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            **no_proxy(os.environ),
        }

    def session(self) -> Any:
        """A boto3 session with its access key, whatever this process's own AWS variables say."""
        import boto3

        key = self.access_key
        return boto3.Session(key.id, key.secret, region_name=self.options.region)

    def client(self, service: str, **more: Any) -> Any:
        """A boto3 client of it, whatever this process's own AWS variables say; `more` are arguments of boto3's."""
        return self.session().client(service, endpoint_url=self.endpoint, **more)

    def fault(self, fault: str | Fault) -> None:
        """Switch a fault on: a struct of `faults.py`, or its short form."""
        checked = parse_fault(fault) if isinstance(fault, str) else fault
        self._control("POST", "faults", msgspec.to_builtins(checked))

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self._control("DELETE", "faults")

    def faults(self) -> Sequence[Mapping[str, Any]]:
        """List the faults that are on, each with how often it `struck`."""
        found: Sequence[Mapping[str, Any]] = self._control("GET", "faults")
        return found

    def calls(self) -> Mapping[str, Any]:
        """Count calls: `by_caller`, `bytes_in`, `bytes_out`; see `calls.py`."""
        found: Mapping[str, Any] = self._control("GET", "calls")
        return found

    def call_log(self) -> Sequence[tuple[str, str]]:
        """List caller and `service.Operation` of each call since the start or the last reset, in order."""
        return [(caller, call) for caller, call in self._control("GET", "calls/log")]

    def reset_calls(self) -> None:
        """Forget which calls were made and counted."""
        self._control("DELETE", "calls")

    def jobs(self) -> Mapping[str, Any]:
        """Count jobs: `running`, `peak_running`, `submitted`, `attempts`, `by_state`; jobs count as array children."""
        found: Mapping[str, Any] = self._control("GET", "jobs")
        return found

    def reset_peak(self) -> None:
        """Begin `peak_running` again, from now."""
        self._control("DELETE", "jobs")

    def _control(self, method: str, name: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.endpoint}/_local/{name}"
        request = urllib.request.Request(url, data=data, method=method, headers={CONTROL_HEADER: self.access_key.id})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=30) as answer:
            return json.load(answer)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LocalAWSError("The local AWS is not running; start it first.")
        return self._process


def end(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process, kill it after `STOP_S` seconds, and close our ends of its pipes."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


__all__ = ["Delays", "LocalAWS", "LocalAWSError"]
