"""Assembly of the Batch backend: each part is made once, when the first other part needs it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from functools import cached_property
from typing import TYPE_CHECKING

from engine.aws import limits
from engine.aws.batch_jobs import JobsClient
from engine.aws.client import AwsClient
from engine.aws.object_store import ObjectStore
from engine.backends.batch.background import BackgroundTasks
from engine.backends.batch.introspect.introspection import BatchIntrospection
from engine.backends.batch.introspect.log_stream import LogStreamReader
from engine.backends.batch.ledger import BatchTask, Ledger
from engine.backends.batch.names import StoreLayout
from engine.backends.batch.outcome_delivery import OutcomeDelivery
from engine.backends.batch.preflight import Surroundings
from engine.backends.batch.submission_secrets import SubmissionSecrets
from engine.backends.batch.submit.ambiguous_submits import AmbiguousSubmits
from engine.backends.batch.submit.blob_store import BlobStore
from engine.backends.batch.submit.code_shelf import CodeShelf
from engine.backends.batch.submit.code_trial import CodeTrial
from engine.backends.batch.submit.collector import Collector
from engine.backends.batch.submit.definition_renewal import DefinitionRenewal
from engine.backends.batch.submit.launcher import Launcher
from engine.backends.batch.submit.object_renewal import ObjectRenewal
from engine.backends.batch.submit.packing import Packing
from engine.backends.batch.submit.request import FairShare, JobTemplate, runner_options
from engine.backends.batch.submit.size_limits import SizeLimits
from engine.backends.batch.takeover.lease import Lease
from engine.backends.batch.takeover.takeover import Takeover
from engine.backends.batch.track.canceller import Canceller
from engine.backends.batch.track.cleaner import ObjectCleaner
from engine.backends.batch.track.failures.failure_handler import FailureHandler
from engine.backends.batch.track.failures.last_resort import LastResort
from engine.backends.batch.track.failures.log_tail import LogTail
from engine.backends.batch.track.failures.resender import Resender
from engine.backends.batch.track.failures.retries import Retries, RetryPolicy
from engine.backends.batch.track.job_ender import JobEnder
from engine.backends.batch.track.job_poller import JobPoller
from engine.backends.batch.track.output_follower import OutputFollower
from engine.backends.batch.track.payload_reader import SubmittedPayloadReader
from engine.backends.batch.track.results import ResultReader
from engine.backends.batch.track.state_reporter import StateReporter
from engine.backends.batch.track.tracker import Tracker
from engine.backends.batch.track.waiting_log import WaitingLog
from engine.backends.protocol import BackendObserver
from engine.pricing.price_reader import PriceReader

if TYPE_CHECKING:
    from engine.config.settings import ManagerConfig


class BatchAssembly:
    """Parts of one backend. `lease` is held; `surroundings` are the preflight's findings."""

    def __init__(
        self,
        *,
        config: ManagerConfig,
        observer: BackendObserver,
        client: AwsClient,
        store: ObjectStore,
        layout: StoreLayout,
        lease: Lease,
        surroundings: Surroundings,
    ) -> None:
        self.client = client
        self.store = store
        self._config = config
        self._observer = observer
        self._layout = layout
        self._lease = lease
        self._surroundings = surroundings
        self._clock = time.monotonic

    @cached_property
    def background(self) -> BackgroundTasks:
        """The tasks that nobody awaits."""
        return BackgroundTasks(self._observer)

    @cached_property
    def ledger(self) -> Ledger:
        """Tasks and submissions; empty."""
        return Ledger()

    @cached_property
    def jobs(self) -> JobsClient:
        """Paged ListJobs and DescribeJobs."""
        return JobsClient(self.client)

    @cached_property
    def template(self) -> JobTemplate:
        """Template of SubmitJob's requests."""
        config, found = self._config, self._surroundings
        is_auto = config.inline_limit == "auto"
        return JobTemplate(
            queue=config.job_queue,
            definition=config.job_definition,
            command=found.command,
            store_uri=self._layout.uri,
            options=runner_options(
                config.aws_region,
                config.client_python,
                found.bucket_owner,
                config.worker_scheduler_address or config.scheduler_address,
                os.environ.get("SCALER_NETWORK_BACKEND"),
            ),
            timeout_s=max(limits.JOB_TIMEOUT_MIN_S, config.job_timeout_minutes * 60),
            tags=found.tags,
            inline_limit=limits.INLINE_TEXT_LIMIT if config.inline_limit == "auto" else config.inline_limit,
            overrides_limit=limits.ECS_OVERRIDES_LIMIT if is_auto else None,
            share=self._share,
            fargate=found.fargate,
            has_template=config.template == "on",
        )

    @property
    def _share(self) -> FairShare | None:
        config = self._config
        if config.share_identifier is None:
            return None
        if isinstance(config.scheduling_priority, int):
            return FairShare(config.share_identifier, config.scheduling_priority)
        return FairShare(config.share_identifier, None if self._surroundings.has_priority else 0)

    @cached_property
    def delivery(self) -> OutcomeDelivery:
        """Delivery of outcomes to the observer."""
        return OutcomeDelivery(ownership=self._lease, ledger=self.ledger, observer=self._observer)

    @cached_property
    def blobs(self) -> BlobStore:
        """Store of shared blobs."""
        return BlobStore(client=self.client, layout=self._layout, clock=self._clock)

    # ---- submit

    @cached_property
    def code(self) -> CodeShelf:
        """Shelf of the code of the user's own."""
        return CodeShelf(
            client=self.client,
            store=self.store,
            layout=self._layout,
            blobs=self.blobs,
            spawn=self.background.start,
        )

    @cached_property
    def code_trial(self) -> CodeTrial:
        """Trial of the image, whether it takes such code."""
        return CodeTrial(
            definition=lambda: self.template.definition,
            ledger=self.ledger,
            end_jobs=JobEnder(self.client).end,
            spawn=self.background.start,
        )

    @cached_property
    def secrets(self) -> SubmissionSecrets:
        """Secrets of submissions."""
        return SubmissionSecrets(self._lease.signing_key)

    @cached_property
    def ambiguous(self) -> AmbiguousSubmits:
        """Settlement of lost SubmitJobs."""
        return AmbiguousSubmits(
            client=self.client,
            jobs=self.jobs,
            ledger=self.ledger,
            layout=self._layout,
            queue=self._config.job_queue,
            spawn=self.background.start,
        )

    @cached_property
    def definitions(self) -> DefinitionRenewal:
        """Renewal of the job definition."""
        return DefinitionRenewal(client=self.client, template=self.template)

    @cached_property
    def packing(self) -> Packing:
        """How many tasks a job runs."""
        return Packing(
            self._config.pack,
            jobs=self._config.max_concurrent_jobs,
            ledger=self.ledger,
            unclaimed=lambda: self.takeover.jobs_beside,
            definition=lambda: self.template.definition,
            memory_retries=self._config.memory_retries,
            parallel=self._config.pack_parallel,
            job_vcpus=self._surroundings.vcpus,
        )

    @cached_property
    def sizes(self) -> SizeLimits:
        """Limits of a job's size."""
        return SizeLimits(client=self.client, surroundings=self._surroundings, clock=self._clock)

    @cached_property
    def launcher(self) -> Launcher:
        """Launcher of submissions."""
        return Launcher(
            client=self.client,
            ledger=self.ledger,
            layout=self._layout,
            template=self.template,
            blobs=self.blobs,
            code=self.code,
            code_trial=self.code_trial,
            ambiguous=self.ambiguous,
            definitions=self.definitions,
            sizes=self.sizes,
            packing=self.packing,
            secrets=self.secrets,
            delivery=self.delivery,
            observer=self._observer,
            spawn=self.background.start,
            random_bits=random.SystemRandom().getrandbits,
        )

    @cached_property
    def collector(self) -> Collector:
        """The collection window."""
        return Collector(
            launch=self.launcher.launch,
            wait_s=self.launcher.wait_s,
            is_idle=lambda: self.ledger.is_idle,
            clock=self._clock,
            call_later=asyncio.get_running_loop().call_later,
        )

    # ---- track

    @cached_property
    def renewal(self) -> ObjectRenewal:
        """Renewal of objects that S3 would delete for their age."""
        return ObjectRenewal(
            client=self.client,
            store=self.store,
            ledger=self.ledger,
            layout=self._layout,
            blobs=self.blobs,
            wall_clock=time.time,
        )

    @cached_property
    def cleaner(self) -> ObjectCleaner:
        """Cleaner of S3."""
        return ObjectCleaner(
            client=self.client,
            ledger=self.ledger,
            layout=self._layout,
            blobs=self.blobs,
            renewal=self.renewal,
            spawn=self.background.start,
        )

    @cached_property
    def canceller(self) -> Canceller:
        """Canceller of tasks."""
        spawn = self.background.start
        return Canceller(client=self.client, ledger=self.ledger, layout=self._layout, cleaner=self.cleaner, spawn=spawn)

    @cached_property
    def resender(self) -> Resender:
        """Resender of tasks."""
        return Resender(
            payloads=SubmittedPayloadReader(client=self.client, store=self.store, layout=self._layout),
            launcher=self.launcher,
            delivery=self.delivery,
            without_later_job=lambda tasks: self.takeover.without_later_job(tasks),
            spawn=self.background.start,
        )

    @cached_property
    def failures(self) -> FailureHandler:
        """Handler of tasks without a result."""
        return FailureHandler(
            template=self.template,
            ambiguous=self.ambiguous,
            resender=self.resender,
            logs=LogTail(client=self.client),
            packing=self.packing,
            code_trial=self.code_trial,
            delivery=self.delivery,
            cleaner=self.cleaner,
            retries=Retries(policy=self._retry_policy, sizes=self.sizes),
            find_past=lambda submission_id, task_id: self.takeover.find_past(submission_id, task_id),
            spawn=self.background.start,
            clock=self._clock,
        )

    @property
    def _retry_policy(self) -> RetryPolicy:
        config = self._config
        return RetryPolicy(config.memory_retries, config.max_host_loss_retries, self._surroundings.memory_mib)

    def _note_ran(self, task: BatchTask, seconds: float) -> None:
        self.packing.note_duration(task, seconds)
        self.code_trial.note_result(task)

    @cached_property
    def results(self) -> ResultReader:
        """Reader of results."""
        spawn = self.background.start
        return ResultReader(
            client=self.client,
            store=self.store,
            ledger=self.ledger,
            secrets=self.secrets,
            delivery=self.delivery,
            canceller=self.canceller,
            retry=self.failures.retry_with_more_memory,
            spawn=spawn,
            on_ran=self._note_ran,
            on_delivered=self.reporter.report_next,
            on_skipped=self.failures.send_skipped,
            show_errors=self._config.show_errors,
        )

    @cached_property
    def last_resort(self) -> LastResort:
        """Failures of tasks of which nothing more can be learned."""
        return LastResort(delivery=self.delivery, spawn=self.background.start)

    @cached_property
    def reporter(self) -> StateReporter:
        """Reporter of states."""
        return StateReporter(observer=self._observer)

    @cached_property
    def poller(self) -> JobPoller:
        """Poller of jobs in flight."""
        return JobPoller(
            jobs=self.jobs,
            ledger=self.ledger,
            failures=self.failures,
            give_up=self.last_resort.fail,
            reporter=self.reporter,
            waiting=WaitingLog(clock=self._clock),
            clock=self._clock,
        )

    @cached_property
    def tracker(self) -> Tracker:
        """The loop that follows everything in flight."""
        return Tracker(
            client=self.client,
            store=self.store,
            layout=self._layout,
            ledger=self.ledger,
            secrets=self.secrets,
            poller=self.poller,
            results=self.results,
            failures=self.failures,
            cleaner=self.cleaner,
            on_round=lambda: self.takeover.look(),
            clock=self._clock,
        )

    # ---- beside the road of a task

    @cached_property
    def output(self) -> OutputFollower:
        """Follower of what running tasks print."""
        return OutputFollower(
            ledger=self.ledger,
            logs=LogStreamReader(client=self.client, group=self._surroundings.log_group),
            get_streams=self.introspection.log_streams,
            observer=self._observer,
        )

    @cached_property
    def takeover(self) -> Takeover:
        """Takeover from a predecessor."""
        return Takeover(
            lease=self._lease,
            client=self.client,
            jobs=self.jobs,
            store=self.store,
            layout=self._layout,
            queue=self._config.job_queue,
            ledger=self.ledger,
            blobs=self.blobs,
            canceller=self.canceller,
            cleaner=self.cleaner,
            ambiguous=self.ambiguous,
            failures=self.failures,
            observer=self._observer,
            submit=self.collector.add,
            spawn=self.background.start,
        )

    @cached_property
    def prices(self) -> PriceReader:
        """Reader of prices; it reads once it runs and somebody asks."""
        return PriceReader(client=self.client, environments=self._surroundings.environments, given=self._config.price)

    @cached_property
    def introspection(self) -> BatchIntrospection:
        """Answers for viewers; it reads for them from its making on."""
        return BatchIntrospection(
            client=self.client,
            jobs=self.jobs,
            ledger=self.ledger,
            blobs=self.blobs,
            queue=self._config.job_queue,
            template=self.template,
            surroundings=self._surroundings,
            prices=self.prices,
        )
