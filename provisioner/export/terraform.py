"""Terraform configuration of what `provision` makes, in its JSON syntax, for any account, region and partition. Pure.

It is made of the same `desired` documents as a plan and the CloudFormation template. Names are Terraform's expressions;
the network, the image and the permissions boundary are variables.
https://developer.hashicorp.com/terraform/language/syntax/json
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterator
from dataclasses import replace
from typing import Final

from provisioner.clients import Document
from provisioner.export.cloudformation import KEY_DESCRIPTION, logical_id
from provisioner.export.empty_account import VPC, EmptyAccount, without_network
from provisioner.export.image_source import ELSEWHERE, NONE, OWN, image_source
from provisioner.export.intrinsics import SUBNETS, References, get_att, properties_referring, ref, referring
from provisioner.export.terraform_resources import terraform_resources
from provisioner.plan.catalog import desired_resources
from provisioner.policies import as_json, execution_policy
from provisioner.resources import job_definition, security_group
from provisioner.resources.repository import Repository
from provisioner.stack.naming import Stack
from provisioner.stack.spec import ProvisionSpec

PROVIDER: Final = ">= 6.0"
"""Versions of the AWS provider whose names of Batch's arguments these are."""

VERSION: Final = ">= 1.5"
_WORDS: Final = re.compile(r"(?<!^)(?=[A-Z])")


def configuration(spec: ProvisionSpec) -> Document:
    """Configuration of a spec, for one file whose name ends in .tf.json: the same for the same spec."""
    stack = _anywhere(spec.prefix).tagged(spec.tags).encrypted(spec.kms_key)
    resources: dict[str, dict[str, Document]] = {}
    for kind, name, arguments in _resources(spec, stack):
        resources.setdefault(kind, {})[name] = arguments
    policy, policies = _pull_by_variable(stack, resources["aws_iam_role_policy"]["execution_role"]["policy"])
    resources["aws_iam_role_policy"]["execution_role"]["policy"] = policy
    return {
        "terraform": {
            "required_version": VERSION,
            "required_providers": {"aws": {"source": "hashicorp/aws", "version": PROVIDER}},
        },
        "data": {f"aws_{name}": {"current": {}} for name in ("caller_identity", "partition", "region")},
        "variable": _variables(spec, stack),
        "locals": {**_repositories(stack), **policies},
        "resource": resources,
        "output": _outputs(stack),
    }


def _anywhere(prefix: str) -> Stack:
    partition = "${data.aws_partition.current.partition}"
    account, region = "${data.aws_caller_identity.current.account_id}", "${data.aws_region.current.region}"
    return Stack(region, prefix, account, partition, "${data.aws_partition.current.dns_suffix}")


def _resources(spec: ProvisionSpec, stack: Stack) -> Iterator[tuple[str, str, Document]]:
    portable, account, references = replace(without_network(spec), image=None), EmptyAccount(), _references(spec, stack)
    for resource in desired_resources(spec, stack, VPC):
        for kind, properties in resource.cloudformation(resource.desired(portable, account)):
            name = _WORDS.sub("_", logical_id(kind, resource.name, stack)).lower()
            tagged = {"Tags": stack.tag_list, **properties}  # CloudFormation can't tag all that Terraform can
            referred = properties_referring(_interpolated(tagged), references)
            for terraform_kind, arguments in terraform_resources(kind, name, referred):
                yield terraform_kind, name, arguments


def _interpolated(value: Document) -> Document:
    """Properties with Terraform's expressions where a resource itself names parameters and attributes."""
    expressions = {
        json.dumps(ref(SUBNETS)): "${var.subnet_ids}",
        json.dumps(get_att("LaunchTemplate", "LatestVersionNumber")): (
            "${aws_launch_template.launch_template.latest_version}"
        ),
    }

    def walk(one: object) -> object:
        if isinstance(one, dict):
            return expressions.get(json.dumps(one, default=str)) or {key: walk(part) for key, part in one.items()}
        return [walk(part) for part in one] if isinstance(one, list) else one

    return {key: walk(one) for key, one in value.items()}


def _references(spec: ProvisionSpec, stack: Stack) -> References:
    def environment(name: str) -> str:
        return stack.arn("batch", f"compute-environment/{name}")

    roles = {"job": stack.job_role, "execution": stack.execution_role, "instance": stack.instance_role}
    return {
        **_choices(spec),
        **{stack.iam_arn("role", name): f"${{aws_iam_role.{word}_role.arn}}" for word, name in roles.items()},
        job_definition.IMAGE: "${var.image}",
        VPC: "${var.vpc_id}",
        stack.bucket: "${aws_s3_bucket.bucket.bucket}",
        stack.bucket_arn: "${aws_s3_bucket.bucket.arn}",
        stack.log_group: "${aws_cloudwatch_log_group.log_group.name}",
        stack.instance_role: "${aws_iam_role.instance_role.name}",
        stack.iam_arn("instance-profile", stack.instance_role): "${aws_iam_instance_profile.instance_profile.arn}",
        stack.instances: "${aws_launch_template.launch_template.name}",
        security_group.ID: "${aws_security_group.security_group.id}",
        environment(stack.spot_environment): "${aws_batch_compute_environment.spot_compute_environment.arn}",
        environment(stack.compute_environment): "${aws_batch_compute_environment.compute_environment.arn}",
        Repository(stack).arn: "${lookup(local.own_repository, var.image_repository, local.other_repository)}",
    }


def _choices(spec: ProvisionSpec) -> dict[Hashable, object]:
    chosen = {spec.permissions_boundary: "${var.permissions_boundary}", spec.kms_key: "${var.kms_key}"}
    return {arn: expression for arn, expression in chosen.items() if arn is not None}


def _repositories(stack: Stack) -> Document:
    """ARNs of the repository that jobs pull from."""
    other = "arn:${data.aws_partition.current.partition}:ecr:${var.image_repository}"
    return {"own_repository": {OWN: Repository(stack).arn}, "other_repository": other}


def _pull_by_variable(stack: Stack, pulling: str) -> tuple[str, Document]:
    """Policy of the execution role, which pulls only what is in ECR, and the values that it is chosen from."""
    without = referring(execution_policy(stack, ELSEWHERE), {stack.kms_key: "${var.kms_key}"} if stack.kms_key else {})
    assert isinstance(without, dict)
    chosen = "${lookup(local.policy_without_pull, var.image_repository, local.policy_with_pull)}"
    return chosen, {"policy_without_pull": {NONE: as_json(without)}, "policy_with_pull": pulling}


def _variables(spec: ProvisionSpec, stack: Stack) -> Document:
    what = "own (the stack's repository), none (not in Amazon ECR), or REGION:ACCOUNT:repository/NAME of ECR"
    variables = {
        "image": _variable("string", "Container image with the runner inside, by digest", spec.image),
        "image_repository": _variable("string", f"Where image lies: {what}", image_source(spec)),
        "vpc_id": _variable("string", "VPC in which instances are placed", spec.vpc_id),
        "subnet_ids": _variable(
            "list(string)",
            "Subnets of it with a way to Amazon S3, ECR, ECS and CloudWatch Logs",
            list(spec.subnet_ids) or None,
        ),
    }
    if Repository(stack).is_desired(spec):
        what = "false: the repository is there, because build-image made it"
        variables["create_repository"] = _variable("bool", what, spec.image is None)
    if spec.permissions_boundary is not None:
        what = "ARN of the policy that bounds the roles"
        variables["permissions_boundary"] = _variable("string", what, spec.permissions_boundary)
    if spec.kms_key is not None:
        variables["kms_key"] = _variable("string", KEY_DESCRIPTION, spec.kms_key)
    return variables


def _variable(kind: str, description: str, default: object) -> Document:
    return {"type": kind, "description": description, **({} if default is None else {"default": default})}


def _outputs(stack: Stack) -> Document:
    """What `scaler-batch run` needs."""
    values = {
        "aws_region": (stack.region, "SCALER_AWS_REGION"),
        "s3_bucket": ("${aws_s3_bucket.bucket.bucket}", "SCALER_S3_BUCKET"),
        "job_queue": (stack.job_queue, "SCALER_JOB_QUEUE"),
        "job_definition": (stack.job_definition, "SCALER_JOB_DEFINITION"),
    }
    return {name: {"value": value, "description": text} for name, (value, text) in values.items()}
