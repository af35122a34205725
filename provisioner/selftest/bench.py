"""Bench of the selftest: a scheduler, a worker manager of an id of its own, a client, and what AWS says of its jobs."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from engine.aws.batch_jobs import LISTED_WITHIN_S
from engine.aws.batch_states import ENDED
from provisioner.clients import Clients, Document
from provisioner.errors import CallFailed, ProvisionError
from provisioner.selftest.manager_role import ManagerRole, once_known
from provisioner.selftest.model import CheckFailed, CheckSkipped, SelftestPatience, SelftestTarget
from provisioner.selftest.processes import (
    ManagerProcess,
    ScalerAddresses,
    ScalerClient,
    clean_environ,
    run_program,
    running_scaler,
)

Found = TypeVar("Found")

LEASE: Final = "lease"
MAX_CONCURRENT_JOBS: Final = 8
DESCRIBED: Final = 100
REASON: Final = "end of the selftest"


class Bench:
    """What the checks work with. Enter it, and leave it by `clean`, which takes away whatever it made.

    `environ` leads the processes to AWS; `record` is a folder that gets every answer. With the manager's `role` the
    engine has the exported policy alone, and so do `manager_clients`.
    """

    def __init__(
        self,
        target: SelftestTarget,
        clients: Clients,
        environ: Mapping[str, str],
        *,
        patience: SelftestPatience,
        make_clients: Callable[[Mapping[str, str]], Clients],
        config: Path,
        record: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.clients = clients
        self.patience = patience
        self.config = config
        self.manager_id = f"selftest-{secrets.token_hex(4)}"
        self.no_role = "the resources are not a stack of ours: no policy of theirs is exported"
        self.sleep = sleep
        self.now = now
        self._environ = clean_environ(environ)
        self._make_clients = make_clients
        self._record = record
        self._stack = ExitStack()
        self._known: set[str] = set()
        self._since_ms = 0.0
        self._engine: ManagerProcess | None = None
        self._client: ScalerClient | None = None
        self._role: ManagerRole | None = None
        self._manager_clients: Clients | None = None
        self._scaler: ScalerAddresses | None = None
        self._runs = 0
        self._is_drained = True
        """The last worker manager ended in good order, and left no job."""

    def start(self) -> None:
        """Start Scaler, and make the role. Raises `EngineError`."""
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="selftest-")))
        if self.target.stack is not None:
            name = f"{self.target.stack.prefix}-{self.manager_id}"
            self.take_role(ManagerRole(name, self.target.stack, self.target.s3_prefix, self.clients))
        self._scaler = self._stack.enter_context(running_scaler(self._environ, self._folder))

    def take_role(self, role: ManagerRole) -> None:
        """Let the engine have this role, which is made; without it checks of the policy are skipped, and say why."""
        self._role = role
        try:
            role.make()
            credentials = role.credentials()
            clients = self._make_clients(credentials)
            queues = {"jobQueues": [self.target.job_queue]}
            once_known(lambda: clients.call("batch", "describe_job_queues", queues))
        except CallFailed as error:
            self.no_role = f"a role with the exported policy alone could not be made ({error})"
            return
        self._manager_clients = clients
        self._environ |= credentials
        self._environ.pop("AWS_PROFILE", None)

    # ---- what checks use

    @property
    def manager_clients(self) -> Clients:
        """Clients with the exported policy alone. Raises `CheckSkipped` without the role."""
        if self._manager_clients is None:
            raise CheckSkipped(f"Not proven: {self.no_role}.")
        return self._manager_clients

    @property
    def working_clients(self) -> Clients:
        """Clients with the rights that the worker manager has."""
        return self._manager_clients or self.clients

    @property
    def engine(self) -> ManagerProcess:
        """The worker manager, started when there is none. Raises `CheckFailed` when it ended by itself."""
        if self._engine is None:
            self._engine = self.another_engine()
        engine = self._engine
        if not engine.lives:
            self._engine = None
            raise CheckFailed(f"The worker manager ended by itself with {engine.exit_code}: {engine.said}")
        return engine

    @property
    def client(self) -> ScalerClient:
        """The Scaler client, with a worker manager behind it. Raises `CheckFailed` when that ended by itself."""
        if self.engine.lives and self._client is not None and self._client.lives:
            return self._client
        assert self._scaler is not None
        self._client = ScalerClient(self._scaler.scheduler, self._environ)
        return self._client

    def another_engine(self, *options: str) -> ManagerProcess:
        """A worker manager of the same id; `options` are those of `watched_engine`."""
        self._runs += 1
        recorded = ("--record", str(self._record)) if self._record is not None else ()
        log = self._folder / f"engine-{self._runs}.log"
        return ManagerProcess(self._settings(), (*options, *recorded), self._environ, log)

    def replace_engine(self, *options: str) -> ManagerProcess:
        """End the worker manager in good order, and start the next one."""
        self.stop_engine()
        self._engine = self.another_engine(*options)
        return self._engine

    def stop_engine(self) -> None:
        """End the worker manager in good order."""
        if self._engine is not None:
            self._engine.stop()
            self._is_drained = self._engine.exit_code == 0
            self._engine = None

    def kill_engine(self) -> None:
        """Kill -9 the worker manager."""
        self.engine.kill()
        self._engine, self._is_drained = None, False

    def await_engine(self) -> None:
        """Return when the worker manager works: it has its lease. Raises `CheckFailed`."""
        wanted = {"Bucket": self.target.bucket, "Prefix": self.key(LEASE)}
        look = lambda: self.clients.listing("s3", "list_objects_v2", "Contents", wanted)  # noqa: E731
        self.wait_for("the worker manager's lease", look, self.patience.job_s)

    def new_file(self, name: str) -> Path:
        """Path of a file that isn't there, in the run's own folder."""
        path = self._folder / name
        path.unlink(missing_ok=True)
        return path

    def key(self, name: str) -> str:
        """Key in S3 of what belongs to this worker manager."""
        return f"{self.target.s3_prefix}/{self.manager_id}/{name}"

    def run(self, function: str, arguments: Sequence[Sequence[object]], filler: int = 0) -> list[dict[str, Any]]:
        """Outcomes of tasks that run now."""
        return self.client.collect(self.client.submit(function, arguments, filler), self.patience.start_s)

    def wait_for(self, what: str, look: Callable[[], Found | None], seconds: float) -> Found:
        """Look until there is something. Raises `CheckFailed` when there is nothing in time."""
        deadline = self.now() + seconds
        while True:
            found = look()
            if found:
                return found
            if self.now() > deadline:
                raise CheckFailed(f"{what}: not within {seconds:.0f} s.")
            self.sleep(self.patience.look_s)

    def say(self, *words: str) -> str:
        """What `scaler-batch` prints for these words, about the worker manager. Raises `CheckFailed` when it can't."""
        return run_program((*words, "--engine", self.manager_id), self._environ, self.patience.job_s)

    # ---- its jobs

    def begin_check(self) -> None:
        """Jobs that there are now belong to earlier checks, those that no listing shows yet, too.

        AWS's own clock tells these, in whole seconds. Raises `ProvisionError`.
        """
        answer = self.clients.call("batch", "describe_job_queues", {"jobQueues": [self.target.job_queue]})
        date = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        self._since_ms = date.timestamp() * 1000
        self._known |= {job["jobId"] for job in self._listed()}

    def new_jobs(self) -> list[Document]:
        """Jobs since the check began, as DescribeJobs shows them. Raises `ProvisionError`."""
        fresh = [job["jobId"] for job in self._listed() if job["createdAt"] >= self._since_ms]
        return self.described([job_id for job_id in fresh if job_id not in self._known])

    def await_jobs(self) -> list[Document]:
        """The same, as soon as a listing shows one; ListJobs is seconds late. Raises `CheckFailed`."""
        return self.wait_for("a job of the check in ListJobs", self.new_jobs, self.patience.job_s)

    def described(self, ids: Sequence[str]) -> list[Document]:
        """Jobs by their ids. Raises `ProvisionError`."""
        pages = [list(ids[start : start + DESCRIBED]) for start in range(0, len(ids), DESCRIBED)]
        answers = [self.clients.call("batch", "describe_jobs", {"jobs": page})["jobs"] for page in pages]
        return [job for answer in answers for job in answer]

    def children(self, job_id: str, status: str) -> list[Document]:
        """Children of an array job in a state. Raises `ProvisionError`."""
        asked = {"arrayJobId": job_id, "jobStatus": status}
        return self.clients.listing("batch", "list_jobs", "jobSummaryList", asked)

    def vcpu_seconds(self) -> float:
        """What the check's jobs have used up, at the most: each child as long as its array. Raises `ProvisionError`."""
        return sum(self.target.vcpus * size_of(job) * seconds_of(job) for job in self.new_jobs())

    def _listed(self) -> list[Document]:
        filters = [{"name": "JOB_NAME", "values": [f"{self.manager_id}_*"]}]
        asked = {"jobQueue": self.target.job_queue, "filters": filters}
        return self.clients.listing("batch", "list_jobs", "jobSummaryList", asked)

    # ---- beginning and end

    def clean(self) -> tuple[list[str], list[str]]:
        """End everything; returns what was taken away, and what could not be, each with the reason."""
        done: list[str] = []
        left: list[str] = []
        steps: tuple[Callable[[], str], ...] = (
            self._end_processes,
            self._end_jobs,
            self._delete_objects,
            self._drop_role,
        )
        for step in steps:
            try:
                done.append(step())
            except (ProvisionError, CheckFailed) as error:
                left.append(str(error))
        self._stack.close()
        return [text for text in done if text], left

    def _settings(self) -> Document:
        assert self._scaler is not None
        manager = {
            "scheduler_address": self._scaler.scheduler,
            "object_storage_address": self._scaler.object_storage,
            "worker_manager_id": self.manager_id,
            "job_queue": self.target.job_queue,
            "job_definition": self.target.job_definition,
            "s3_bucket": self.target.bucket,
            "s3_prefix": self.target.s3_prefix,
            "aws_region": self.target.region,
            "max_concurrent_jobs": MAX_CONCURRENT_JOBS,
        }
        return {"managers": [manager], "drain_timeout_seconds": 20}

    def _end_processes(self) -> str:
        if self._client is not None:
            self._client.close()
        self.stop_engine()
        return ""

    def _end_jobs(self) -> str:
        clients = self.working_clients
        if not self._is_drained:
            self.sleep(LISTED_WITHIN_S)  # what was left may not be listed yet
        known = self.described([job["jobId"] for job in self._listed()])
        living = [job["jobId"] for job in known if job["status"] not in ENDED]
        for job_id in living:
            clients.call("batch", "terminate_job", {"jobId": job_id, "reason": REASON})
        if living:
            self.wait_for("the end of the selftest's jobs", lambda: self._all_ended(living), self.patience.job_s)
        return f"{count(len(living), 'job')} that still ran ended"

    def _all_ended(self, ids: Sequence[str]) -> bool:
        return all(job["status"] in ENDED for job in self.described(ids))

    def _delete_objects(self) -> str:
        clients, bucket = self.working_clients, self.target.bucket
        found = clients.listing("s3", "list_objects_v2", "Contents", {"Bucket": bucket, "Prefix": self.key("")})
        for one in found:
            clients.call("s3", "delete_object", {"Bucket": bucket, "Key": one["Key"]})
        return f"{count(len(found), 'object')} deleted below s3://{bucket}/{self.key('')}"

    def _drop_role(self) -> str:
        if self._role is None or not self._role.made:
            return ""
        self._role.delete()
        return f"role {self._role.name} deleted"


def size_of(job: Document) -> int:
    """Number of a job's children; 1 for a single one."""
    return int(job.get("arrayProperties", {}).get("size", 1))


def seconds_of(job: Document) -> float:
    """Seconds that a job has run; AWS's times are in ms."""
    started = job.get("startedAt")
    return 0.0 if started is None else max(0, job.get("stoppedAt", started) - started) / 1000


def count(number: int, what: str) -> str:
    """A number of things in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
