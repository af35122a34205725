"""One attempt of a job: reads which tasks it has and runs them, one after the other or in lanes.

It answers with the exit code that says what became of them, and whether another attempt is worth it (`RunnerExit`).
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import batch_job_store
from batch_job_pack.lanes import RunnerLanes
from batch_job_pack.order import Entry, run_pack
from batch_job_pack.tasks import JobTasks
from batch_job_quoting import log
from batch_job_settings import Settings, UsageError
from batch_job_sigterm import SigtermGuard, Terminated, note_terminated
from batch_job_store import MissingCredentials, Store, StoreError
from batch_job_template.forking import ForkingProcess
from batch_job_template.process import bare_process
from batch_job_template.templates import Templates, job_templates
from batch_job_wire.payload_forms import PayloadForm, PayloadFormError, from_inline, payload_form
from batch_job_wire.payload_frames import FrameError, PayloadReader
from batch_job_wire.protocol import RunnerExit, bundle_name, fence_key, payload_key


def run_attempt(
    settings: Settings,
    guard: SigtermGuard,
    bare: ForkingProcess | None,
    make_client: Callable[[str | None], Any] | None,
) -> int:
    """Run the job that the settings describe; its exit code. Raises `UsageError`, `Terminated`."""
    connect = partial(make_client or batch_job_store.make_client, settings.region)

    def run() -> int:
        store = Store(connect(), settings.bucket, settings.prefix, settings.patience_s, owner=settings.owner)
        with job_templates(bare, lambda: guard.received, may_load=settings.may_use_template) as templates:
            return _Attempt(settings, store, guard, templates, connect).run()

    return _code_of(settings, run)


def _code_of(settings: Settings, run: Callable[[], int]) -> int:
    """Its code, or that of S3's failure.

    Missing credentials are final when a second container lacks them, too: once, their service may have failed.
    """
    try:
        return run()
    except StoreError as error:
        may_pass = settings.attempt == 1 if isinstance(error, MissingCredentials) else error.recoverable
        code = RunnerExit.TRY_AGAIN if may_pass else RunnerExit.REFUSED
        log(f"{error}: exit {code:d}")
        return code
    except (FrameError, PayloadFormError) as error:
        raise UsageError(str(error)) from error


class _Attempt:
    def __init__(
        self,
        settings: Settings,
        store: Store,
        guard: SigtermGuard,
        templates: Templates,
        connect: Callable[[], Any],
    ) -> None:
        self._settings = settings
        self._store = store
        self._guard = guard
        self._templates = templates
        self._connect = connect

    def run(self) -> int:
        settings = self._settings
        if self._store.exists(fence_key(settings.submission)):
            log(f"submission {settings.submission} was replaced by another, nothing to do")
            return RunnerExit.DONE
        reader = PayloadReader(self._fetch())
        if reader.is_packed != settings.is_packed:
            raise FrameError("frame and options don't agree on whether the job runs a pack")
        with contextlib.closing(JobTasks(settings, self._store, self._guard, reader, self._templates)) as tasks:
            if not settings.is_packed:
                place = settings.child or 0
                entry = reader.entry(place)
                return RunnerExit.DONE if tasks.is_written(entry, place) else tasks.run(entry, place)
            places = settings.entries(reader.tasks)
            at_once = f", {settings.parallel} at once" if settings.parallel > 1 else ""
            log(f"a pack: entries {places.start} to {places.stop - 1} of {reader.tasks}{at_once}")
            entries = reader.entries(places.start, len(places))
            if settings.parallel > 1:
                return self._run_lanes(reader, tasks, list(entries), places)
            tasks.gather(places)
            return run_pack(zip(places, entries, strict=False), tasks, lambda: self._guard.received)

    def _run_lanes(self, reader: PayloadReader, tasks: JobTasks, entries: Sequence[Entry], places: range) -> int:
        settings = self._settings

        def run_lane(taken: Iterator[int], note_task: Callable[[int], None]) -> int:
            mine = ((place, entries[place - places.start]) for place in taken)
            try:
                with SigtermGuard(note_task) as guard:
                    return _code_of(settings, lambda: self._run_lane(guard, reader, mine))
            except Terminated:
                return note_terminated()

        first, count, attempt = places.start, settings.parallel, settings.attempt
        return RunnerLanes(entries, first, count, attempt=attempt, run_lane=run_lane, tasks=tasks).run()

    def _run_lane(self, guard: SigtermGuard, reader: PayloadReader, entries: Iterator[tuple[int, Entry]]) -> int:
        """In a process of its own, with a client of its own, as another process's connections are not for it."""
        settings, is_ending = self._settings, lambda: guard.received
        self._store.client = None
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        with (
            bare_process(settings.is_packed) as bare,
            job_templates(bare, is_ending, may_load=settings.may_use_template) as templates,
        ):
            self._store.client = self._connect()
            with contextlib.closing(JobTasks(settings, self._store, guard, reader, templates)) as tasks:
                return run_pack(entries, tasks, is_ending)

    def _fetch(self) -> Callable[[int, int], bytes]:
        settings = self._settings
        if payload_form(settings.payload) is PayloadForm.BUNDLE:
            key = payload_key(bundle_name(settings.submission, settings.payload))
            return lambda offset, length: self._store.get_range(key, offset, length)
        frame = from_inline(settings.payload)
        return lambda offset, length: frame[offset : offset + length]
