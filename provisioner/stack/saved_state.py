"""Saved state of provisionings: their results, in the two files of the seed, written whole and 0600.

The env file holds the four variables that `scaler-batch run` reads, of the last provisioning. The
configuration file keeps an entry for each account, region and prefix, and beside them what Scaler's own provisioner
wrote into it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from engine.errors import ConfigError
from provisioner.errors import ProvisionError
from provisioner.json_schema import StackEntry
from provisioner.stack.naming import Stack
from provisioner.stack.private_files import one_at_a_time, remove, write
from provisioner.stack.spec import ProvisionSpec
from provisioner.stack.upstream import UpstreamStack, upstream_of

CONFIG_FILE: Final = Path(".scaler_aws_batch_config.json")
ENV_FILE: Final = Path(".scaler_aws_hpc.env")


class Provisioned(StackEntry, frozen=True, kw_only=True):
    """Stack as it was provisioned: the saved entry, made of a spec and giving it back."""

    @classmethod
    def of(cls, spec: ProvisionSpec, stack: Stack) -> Provisioned:
        """Entry of a stack that was provisioned by `spec`."""
        return cls(
            account=stack.account,
            region=stack.region,
            prefix=stack.prefix,
            bucket=stack.bucket,
            job_queue=stack.job_queue,
            job_definition=stack.job_definition,
            compute_environment=stack.compute_environment,
            log_group=stack.log_group,
            job_role=stack.job_role,
            execution_role=stack.execution_role,
            instance_role=stack.instance_role,
            image=spec.image or "",
            vcpus=spec.vcpus,
            memory=spec.total_memory,
            container_memory=spec.container_memory,
            max_vcpus=spec.max_vcpus,
            instance_types=spec.instance_types,
            job_timeout_minutes=spec.job_timeout,
            gpus=spec.gpus,
            spot=spec.spot,
            vpc_id=spec.vpc_id,
            subnet_ids=spec.subnet_ids,
            permissions_boundary=spec.permissions_boundary,
            s3_prefix=spec.s3_prefix,
            expiry_days=spec.expiry_days,
            runnable_limit_minutes=spec.runnable_limit,
            disk_gib=spec.disk_gib,
            shm_mib=spec.shm_mib,
            efs=spec.efs,
            ami=spec.ami,
            fargate=spec.fargate,
            tags=dict(spec.tags),
            kms_key=spec.kms_key,
        )

    @property
    def spec(self) -> ProvisionSpec:
        """Spec that the stack was provisioned by.

        Raises `ProvisionError` when the file was edited to values that can't be.
        """
        try:
            return self._spec()
        except ConfigError as error:
            raise ProvisionError(
                f"The saved entry {self.key} can't be: {error} Run provision --reset to write it anew."
            ) from error

    @property
    def key(self) -> str:
        """Key of the entry in the configuration file."""
        return entry_key(self.account, self.region, self.prefix)

    def _spec(self) -> ProvisionSpec:
        return ProvisionSpec(
            image=self.image or None,
            region=self.region,
            prefix=self.prefix,
            vcpus=self.vcpus,
            memory=self.memory,
            gpus=self.gpus,
            max_vcpus=self.max_vcpus,
            instance_types=self.instance_types,
            job_timeout=self.job_timeout_minutes,
            spot=self.spot,
            vpc_id=self.vpc_id,
            subnet_ids=self.subnet_ids,
            permissions_boundary=self.permissions_boundary,
            s3_prefix=self.s3_prefix,
            expiry_days=self.expiry_days,
            runnable_limit=self.runnable_limit_minutes,
            disk_gib=self.disk_gib,
            shm_mib=self.shm_mib,
            efs=self.efs,
            ami=self.ami,
            fargate=self.fargate,
            tags=tuple(self.tags.items()),
            kms_key=self.kms_key,
        )


Entries = dict[str, Provisioned]


def entry_key(account: str, region: str, prefix: str) -> str:
    """Key of a stack's entry in the configuration file."""
    return f"{account}/{region}/{prefix}"


def environment_text(provisioned: Provisioned) -> str:
    """Text of the env file, for a shell's `source`."""
    variables = {
        "SCALER_AWS_REGION": provisioned.region,
        "SCALER_S3_BUCKET": provisioned.bucket,
        "SCALER_JOB_QUEUE": provisioned.job_queue,
        "SCALER_JOB_DEFINITION": provisioned.job_definition,
    }
    return exports(variables)


def exports(variables: Mapping[str, str]) -> str:
    """Lines of a shell that export variables."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())


def load(path: Path) -> Entries:
    """Entries of a configuration file; none when there is no file. Raises `ProvisionError`."""
    return _load(path)[0]


def load_upstream(path: Path) -> UpstreamStack | None:
    """Stack that Scaler's own provisioner saved in the file, if one is. Raises `ProvisionError`."""
    return _load(path)[1]


def _load(path: Path) -> tuple[Entries, UpstreamStack | None]:
    try:
        parts = msgspec.json.decode(path.read_bytes(), type=dict[str, msgspec.Raw])
        flat = {key: text for key, text in parts.items() if not bytes(text).startswith(b"{")}
        upstream = upstream_of(flat)
        ours = {key: text for key, text in parts.items() if upstream is None or key not in flat}
        return {key: _entry(key, text) for key, text in ours.items()}, upstream
    except FileNotFoundError:
        return {}, None
    except (OSError, msgspec.DecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ProvisionError(
            f"The saved configuration {path} can't be read ({reason}): move it away, or name another file with "
            "--config; provision writes a new one."
        ) from error


def save_entry(provisioned: Provisioned, config: Path) -> None:
    """Save the entry among the others of the configuration file. Raises `ProvisionError`."""
    with one_at_a_time(config):
        entries, upstream = _load(config)
        _write_entries(config, {**entries, provisioned.key: provisioned}, upstream)


def save(provisioned: Provisioned, config: Path, env_file: Path) -> None:
    """Save the entry and write the env file. Raises `ProvisionError`."""
    save_entry(provisioned, config)
    write(env_file, environment_text(provisioned))


def forget(account: str, region: str, prefix: str, config: Path, env_file: Path) -> None:
    """Remove the entry, and either file when nothing else was in it. Raises `ProvisionError`."""
    key = entry_key(account, region, prefix)
    if key not in load(config):
        return
    with one_at_a_time(config):
        entries, upstream = _load(config)
        gone = entries.pop(key)
        _write_entries(config, entries, upstream)
    if _text(env_file) == environment_text(gone):
        remove(env_file)


def forget_upstream(account: str, region: str, prefix: str, config: Path) -> None:
    """Remove what Scaler's own provisioner saved of this stack. Raises `ProvisionError`."""
    with one_at_a_time(config):
        entries, upstream = _load(config)
        if upstream is not None and upstream.is_of(account, region, prefix):
            _write_entries(config, entries, None)


def _entry(key: str, text: msgspec.Raw) -> Provisioned:
    """Raises `DecodeError`, which names the entry."""
    try:
        entry = msgspec.json.decode(text, type=Provisioned)
    except msgspec.DecodeError as error:
        raise msgspec.DecodeError(f"entry {key}: {error}") from error
    if entry.key != key:
        raise msgspec.DecodeError(f"entry {key} is about {entry.key}")
    return entry


def _text(path: Path) -> str:
    """Nothing when it can't be read, because then it isn't ours."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""


def _write_entries(path: Path, entries: Entries, upstream: UpstreamStack | None) -> None:
    """Scaler's program reads its own keys of the file, and leaves the others alone."""
    document = {**(upstream.record if upstream else {}), **entries}
    if document:
        write(path, msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
    else:
        remove(path)
