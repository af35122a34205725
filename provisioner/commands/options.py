"""Options that several commands share, and their values, checked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any

from provisioner.commands.flags import FLAGS, GROUPS, parameters_of
from provisioner.image.request import OWN_PYTHON, ImageRequest
from provisioner.stack.saved_state import CONFIG_FILE, ENV_FILE, Provisioned
from provisioner.stack.spec import OF_INSTANCES, ProvisionSpec, check

Command = Callable[..., None]


@dataclass(frozen=True, slots=True)
class CommandOptions:
    """Options of `plan`, `provision` and `export`, checked. The spec's image is None where one is to be built.

    `kept` are flags with their values that were not given, but are those of the saved stack; `raised` is a sentence
    about a value that was raised.
    """

    spec: ProvisionSpec
    request: ImageRequest
    kept: tuple[str, ...] = ()
    raised: str = ""

    def with_image(self, image: str | None) -> ProvisionSpec:
        """Spec with another image."""
        return replace(self.spec, image=image)

    def with_key(self, key: str) -> CommandOptions:
        """Options with the ARN of the key that was asked for."""
        return replace(self, spec=replace(self.spec, kms_key=key))

    def keeping_key(self, key: str | None) -> CommandOptions:
        """Options with the key of before, unless another is given: what is stored could not be read without it."""
        if key is None or self.spec.kms_key is not None:
            return self
        return replace(self.with_key(key), kept=(*self.kept, f"--kms-key {key}"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Note about what was kept, if anything was."""
        kept = f"Kept from before, because not given: {', '.join(self.kept)} (--reset takes the defaults instead)."
        return tuple(filter(None, (kept if self.kept else "", self.raised)))


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """Options by what was given alone: fields of the spec and of the image's request, None for what was not."""

    region: str | None
    prefix: str
    choices: Mapping[str, Any]
    image_choices: Mapping[str, Any]

    def based_on(self, saved: Provisioned | None, region: str) -> CommandOptions:
        """Options in which what was not given is as it was saved, else the default.

        Raises `ConfigError` for values that can't work, `ProvisionError` for a saved entry that can't be.
        """
        given = {name: value for name, value in self.choices.items() if value is not None}
        before = _chosen_before(saved) if saved is not None else {}
        left_out = OF_INSTANCES.values() if given.get("fargate") else ()
        kept = {name: value for name, value in before.items() if name not in (*given, *left_out)}
        spec = ProvisionSpec(**{"image": None, **kept, **given, "region": region, "prefix": self.prefix})
        if self._wants_build(spec, saved) and "image" in kept:
            spec = replace(spec, image=None)
            del kept["image"]
        request = self._request(spec)
        check_platform(spec, request)
        flags = tuple(_flag_of(name, value) for name, value in kept.items())
        days = spec.needed_expiry_days
        if spec.expiry_days >= days:
            return CommandOptions(spec, request, flags)
        raised = f"--expiry-days is raised from {spec.expiry_days} to {days}: a job's attempts may take so long."
        return CommandOptions(replace(spec, expiry_days=days), request, flags, raised)

    def _wants_build(self, spec: ProvisionSpec, saved: Provisioned | None) -> bool:
        """True when another image was described, or other processors need one."""
        described = any(value for name, value in self.image_choices.items() if name != "builder")
        return described or (saved is not None and saved.spec.platform != spec.platform)

    def _request(self, spec: ProvisionSpec) -> ImageRequest:
        chosen = self.image_choices
        return ImageRequest(
            requirements=chosen["requirements"],
            packages=tuple(chosen["package"] or ()),
            base_image=chosen["base_image"],
            apt=tuple(chosen["apt"] or ()),
            conda=chosen["conda"],
            platform=chosen["platform"] or spec.platform,
            python=chosen["python"] or OWN_PYTHON,
            builder=chosen["builder"],
        )


def command_options(**words: Any) -> GivenOptions:
    """Options by the flags of all groups; whether they can work is known once what was saved is."""
    place, *spec, image = (group(**{name: words[name] for name in parameters_of(group)}) for group in GROUPS)
    choices = {"image": place["image"], **{name: value for part in spec for name, value in part.items()}}
    return GivenOptions(place["region"], place["prefix"], choices, image)


def check_platform(spec: ProvisionSpec, request: ImageRequest) -> None:
    """Check that the image that would be built can run on the instances. Raises `ConfigError`."""
    fits = spec.image is not None or request.platform == spec.platform
    check("--platform", request.platform, fits, f"{spec.platform}, which the instance types need")


def with_command_options(command: Command) -> Command:
    """Decorate a command that takes `given` first: it gets the flags of all groups in front of its own.

    Typer reads a command's flags from its signature, which is put together here.
    """
    own = inspect.signature(command, eval_str=True)
    others = [parameter for name, parameter in own.parameters.items() if name != "given"]

    @wraps(command)
    def wrapper(**words: Any) -> None:
        command(given=command_options(**{flag.name: words.pop(flag.name) for flag in FLAGS}), **words)

    keyword_only = inspect.Parameter.KEYWORD_ONLY
    parameters = [parameter.replace(kind=keyword_only) for parameter in (*FLAGS, *others)]
    wrapper.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    return wrapper


def _chosen_before(saved: Provisioned) -> dict[str, Any]:
    """Fields of the saved spec that differ from the defaults. Raises `ProvisionError`."""
    spec = saved.spec
    values = {field.name: (getattr(spec, field.name), field.default) for field in fields(spec)}
    chosen = {name: value for name, (value, default) in values.items() if value != default and value is not None}
    return {name: value for name, value in chosen.items() if name not in ("region", "prefix")}


def _flag_of(name: str, value: object) -> str:
    """Flag and value as a person would type them."""
    if name == "tags" and isinstance(value, tuple):
        return " ".join(f"--tag {key}={one}" for key, one in value)
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return flag
    return f"{flag} {','.join(value) if isinstance(value, tuple) else value}"


__all__ = ["CONFIG_FILE", "ENV_FILE", "CommandOptions", "GivenOptions", "command_options", "with_command_options"]
