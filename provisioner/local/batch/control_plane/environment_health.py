"""Health of compute environments: one is INVALID for what it names and the account lacks.

https://docs.aws.amazon.com/batch/latest/userguide/invalid_compute_environment.html. IAM tells its news to the other
services after a while, so a role or an instance profile that has just been made isn't there for them yet.
"""

from __future__ import annotations

from provisioner.local.batch.account import Account
from provisioner.local.batch.records import LocalEnvironment


class EnvironmentHealth:
    """Checks of environments against the account. `propagation_s` is how long news of IAM travel to Batch."""

    def __init__(self, account: Account, propagation_s: float) -> None:
        self._account = account
        self._propagation_ms = propagation_s * 1000

    def problem(self, environment: LocalEnvironment, now_ms: int) -> str | None:
        """The status reason of an environment that can't work."""
        if not environment.managed:
            return None
        return (
            self._role_problem(environment, now_ms)
            or self._profile_problem(environment, now_ms)
            or self._network_problem(environment)
            or self._template_problem(environment)
        )

    def stranded(self, environment: LocalEnvironment, now_ms: int) -> str | None:
        """The status reason of one that can't even be deleted: Batch acts by roles that are gone.

        An environment that never worked has nothing that its instance profile would be needed for.
        """
        if not environment.managed:
            return None
        profile = self._profile_problem(environment, now_ms) if environment.worked else None
        return self._role_problem(environment, now_ms) or profile

    def knows_role(self, arn: str, now_ms: int) -> bool:
        """Whether the role exists, and Batch has heard of it."""
        since = self._account.role_since(arn)
        return since is not None and self._is_known(since, now_ms)

    def _is_known(self, since_ms: int, now_ms: int) -> bool:
        return now_ms - since_ms >= self._propagation_ms

    def _role_problem(self, environment: LocalEnvironment, now_ms: int) -> str | None:
        if self._account.role_since(environment.service_role) is not None and (
            environment.has_linked_role or self.knows_role(environment.service_role, now_ms)
        ):
            return None
        return (
            "CLIENT_ERROR - User: batch.amazonaws.com is not authorized to perform: sts:AssumeRole on resource: "
            f"{environment.service_role} (Service: AWSSecurityTokenService; Status Code: 403; "
            "Error Code: AccessDenied; Proxy: null)"
        )

    def _profile_problem(self, environment: LocalEnvironment, now_ms: int) -> str | None:
        name = environment.compute.get("instanceRole")
        if name is None:
            return None
        profile = self._account.profile(name)
        if profile is not None and profile.has_role and self._is_known(profile.since_ms, now_ms):
            return None
        return f"CLIENT_ERROR - Invalid IamInstanceProfile: {name}"

    def _network_problem(self, environment: LocalEnvironment) -> str | None:
        for subnet in environment.compute.get("subnets", ()):
            if self._account.vpc_of_subnet(subnet) is None:
                return f"CLIENT_ERROR - The subnet ID '{subnet}' does not exist"
        for group in environment.compute.get("securityGroupIds", ()):
            if self._account.vpc_of_group(group) is None:
                return f"CLIENT_ERROR - The security group '{group}' does not exist"
        return None

    def _template_problem(self, environment: LocalEnvironment) -> str | None:
        template = environment.compute.get("launchTemplate")
        if not template or self._account.has_launch_template(template):
            return None
        return (
            "CLIENT_ERROR - You must use a valid fully-formed launch template. The specified launch template, with "
            f"template ID {template.get('launchTemplateId') or template.get('launchTemplateName')}, does not exist."
        )
