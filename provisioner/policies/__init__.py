"""IAM policies, one module a principal: pure functions of names, least privilege, every partition.

Sources: the actions' resource types and condition keys as in AWS's Service Authorization Reference,
https://docs.aws.amazon.com/service-authorization/latest/reference/.
"""

from __future__ import annotations

from provisioner.policies.execution import execution_policy
from provisioner.policies.instance import instance_policy
from provisioner.policies.job import job_policy
from provisioner.policies.manager import manager_policy
from provisioner.policies.provisioner import provisioner_policy
from provisioner.policies.statements import Policy, as_json
from provisioner.policies.trust import trust

__all__ = [
    "Policy",
    "as_json",
    "execution_policy",
    "instance_policy",
    "job_policy",
    "manager_policy",
    "provisioner_policy",
    "trust",
]
