"""Executor that runs each attempt of a job as a container of the job definition's image.

Stricter than AWS is by default (see `DockerEngine.create`), so that what runs here runs there; unlike there,
containers share this machine's network, and one image is pulled once.

A thread an attempt, as many as the compute environment's vCPUs let run at once; callbacks come on it. Signals have a
thread of their own, because the engine may take its time for one.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from provisioner.local.docker import owner
from provisioner.local.docker.container_reaper import ContainerReaper, reap_orphans, remove_container
from provisioner.local.docker.docker_engine import ContainerSpec, DockerEngine, EngineRefusal, NoEngine, is_gone
from provisioner.local.docker.registry import Registry
from provisioner.local.processes.executor import JobLaunch
from provisioner.local.processes.fork_server.framing import Exited

NOT_PULLED: Final = "CannotPullContainerError"
NOT_CREATED: Final = "CannotCreateContainerError"
NOT_STARTED: Final = "CannotStartContainerError"
"""As the ECS agent names them: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html"""


class NotStarted(Exception):
    """A container did not come to run; the text is the reason as AWS words it."""

    def __init__(self, code: str, refusal: EngineRefusal) -> None:
        super().__init__(f"{code}: Error response from daemon: {refusal}")


class ExecutorClosed(Exception):
    """The executor makes no containers any more."""


class RunningContainer:
    """One attempt. Signals that come before its container runs wait for it."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._container = ""
        self._waiting: list[int] = []

    def signal(self, signum: int) -> None:
        """Signal the container, now or as soon as it runs."""
        with self._lock:
            if not self._container:
                self._waiting.append(signum)
                return
        self._deliver(signum)

    def started(self, container: str) -> None:
        """Send the signals that came before the container ran."""
        with self._lock:
            self._container = container
            waiting, self._waiting = self._waiting, []
        for signum in waiting:
            self._deliver(signum)

    def _deliver(self, signum: int) -> None:
        try:
            self._engine.signal(self._container, signum)
        except EngineRefusal as refusal:
            if not is_gone(refusal):
                raise


class ContainerExecutor:
    """`close` ends and removes every container, and ends the registry."""

    def __init__(self, registry: Registry, on_lost: Callable[[NoEngine], None]) -> None:
        """Raises `ConfigError`, `NoEngine`."""
        self._registry = registry
        self._engine = DockerEngine()
        self._owner = owner.this_process()
        self._on_lost = on_lost
        self._running: dict[str, RunningContainer] = {}
        self._pulling, self._creating = threading.Lock(), threading.Lock()
        self._closing = False
        self._signals: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._reaper = ContainerReaper(registry.host)
        reap_orphans(self._engine)
        threading.Thread(target=self._send_signals, name="signals", daemon=True).start()

    def wait_ready(self) -> None:
        """Raises `LocalAWSError`."""
        self._registry.start()

    def start(self, launch: JobLaunch) -> None:
        """Run an attempt on a thread of its own; its callbacks come on that thread."""
        self._running[launch.key] = RunningContainer(self._engine)
        threading.Thread(target=self._run, args=(launch,), name=launch.key, daemon=True).start()

    def kill(self, key: str, signum: int, *, whole: bool) -> None:
        """Signal the first process; with it a container's other processes end, so that `whole` makes no difference."""
        self._signals.put((key, signum))

    def caller(self, port: int) -> str | None:
        """Nothing: a container's connections belong to the Docker engine's processes."""
        return None

    def close(self) -> None:
        """Make no container any more, remove all of them, end the registry."""
        with self._creating:
            self._closing = True
        self._reaper.reap()
        self._registry.stop()

    def _run(self, launch: JobLaunch) -> None:
        try:
            report = self._attempt(launch)
        except ExecutorClosed:
            return
        except NotStarted as problem:
            report = partial(launch.on_not_started, str(problem))
        except NoEngine as lost:
            self._on_lost(lost)
            return
        del self._running[launch.key]
        if not self._closing:
            report()

    def _attempt(self, launch: JobLaunch) -> Callable[[], None]:
        """From the pull to the removal; answers with what is to be said about its end."""
        self._have(launch.image)
        container = self._create(launch)
        try:
            output = self._begin(container)
            self._running[launch.key].started(container)
            for part in output:
                launch.on_output(part)
            end = self._engine.wait(container)
        finally:
            remove_container(self._engine, container)
        return partial(launch.on_exit, Exited(launch.key, end.code, end.out_of_memory))

    def _have(self, image: str) -> None:
        """Pulls what is not there. One at a time: jobs that start together want the same image."""
        try:
            with self._pulling:
                if not self._engine.has(image):
                    self._engine.pull(image, self._registry.login_for(image))
        except EngineRefusal as refusal:
            raise NotStarted(NOT_PULLED, refusal) from refusal

    def _create(self, launch: JobLaunch) -> str:
        """Create the container, unless the executor is closed: none may come up once the reaper has listed them."""
        spec = ContainerSpec(launch.image, launch.argv, launch.environ, launch.memory_bytes, self._owner)
        with self._creating:
            if self._closing:
                raise ExecutorClosed
            try:
                return self._engine.create(spec)
            except EngineRefusal as refusal:
                raise NotStarted(NOT_CREATED, refusal) from refusal

    def _begin(self, container: str) -> Iterator[bytes]:
        try:
            output = self._engine.follow(container)
            self._engine.start(container)
        except EngineRefusal as refusal:
            raise NotStarted(NOT_STARTED, refusal) from refusal
        return output

    def _send_signals(self) -> None:
        while True:
            key, signum = self._signals.get()
            running = self._running.get(key)
            try:
                if running is not None:
                    running.signal(signum)
            except NoEngine as lost:
                self._on_lost(lost)
