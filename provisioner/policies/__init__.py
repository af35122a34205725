"""IAM policies, one module a principal: pure functions of names, least privilege, every partition.

Sources: the actions' resource types and condition keys as in AWS's Service Authorization Reference,
https://docs.aws.amazon.com/service-authorization/latest/reference/.
"""

from __future__ import annotations

from provisioner.policies.execution import execution_policy
from provisioner.policies.instance import instance_policy
from provisioner.policies.job import job_policy
from provisioner.policies.key import key_policy, launching_roles
from provisioner.policies.manager import manager_policy
from provisioner.policies.provisioner import provisioner_policy, resources_policy, roles_policy
from provisioner.policies.statements import MANAGED_POLICY_CHARACTERS, Policy, as_json, counted_characters
from provisioner.policies.trust import trust

__all__ = [
    "MANAGED_POLICY_CHARACTERS",
    "Policy",
    "as_json",
    "counted_characters",
    "execution_policy",
    "instance_policy",
    "job_policy",
    "key_policy",
    "launching_roles",
    "manager_policy",
    "provisioner_policy",
    "resources_policy",
    "roles_policy",
    "trust",
]
