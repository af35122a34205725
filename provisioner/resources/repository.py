"""The ECR repository of the images that `build-image` makes: a tag never moves, and every push is scanned."""

from __future__ import annotations

import json
from typing import Final

from provisioner.clients import Document
from provisioner.plan.model import ApiCall, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import Found, Resource
from provisioner.stack.naming import Stack, from_tag_list
from provisioner.stack.spec import ProvisionSpec

UNTAGGED_DAYS: Final = 7
MISSING: Final = "RepositoryNotFoundException"

LIFECYCLE_POLICY: Final[Document] = {
    "rules": [
        {
            "rulePriority": 1,
            # every image that a job definition was ever given has its tag: those stay
            "description": "what a failed push left behind",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
    ]
}


class Repository(Resource):
    kind = "ECR repository"

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.repository)

    @property
    def arn(self) -> str:
        return self.stack.arn("ecr", f"repository/{self.name}")

    @property
    def remove_command(self) -> str:
        return f"aws ecr delete-repository --repository-name {self.name} --force --region {self.stack.region}"

    def read(self, remote: RemoteState) -> Found | None:
        found = remote.get("ecr", "describe_repositories", missing=MISSING, repositoryNames=[self.name])
        if found is None:
            return None
        repository = found["repositories"][0]
        return Found(
            {
                "tags": self._our_tags(remote),
                "imageTagMutability": repository["imageTagMutability"],
                "scanOnPush": repository["imageScanningConfiguration"]["scanOnPush"],
                "lifecyclePolicy": self._lifecycle_policy(remote),
            },
            detail=repository["repositoryUri"],
        )

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        return {
            "tags": self.stack.tags,
            "imageTagMutability": "IMMUTABLE",
            "scanOnPush": True,
            "lifecyclePolicy": LIFECYCLE_POLICY,
        }

    def create(self, desired: Document) -> list[Instruction]:
        made = self._call(
            "create repository",
            "create_repository",
            tags=self.stack.tag_list,
            imageTagMutability=desired["imageTagMutability"],
            imageScanningConfiguration={"scanOnPush": desired["scanOnPush"]},
        )
        return [made, self._put_lifecycle_policy()]

    def update(self, found: Found, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        tag = {"resourceArn": self.arn, "tags": self.stack.tag_list}
        steps: dict[str, Instruction] = {
            "tags": ApiCall(f"tag repository {self.name}", "ecr", "tag_resource", tag),
            "imageTagMutability": self._call(
                "fix the tags of repository", "put_image_tag_mutability", imageTagMutability="IMMUTABLE"
            ),
            "scanOnPush": self._call(
                "scan on each push to repository",
                "put_image_scanning_configuration",
                imageScanningConfiguration={"scanOnPush": True},
            ),
            "lifecyclePolicy": self._put_lifecycle_policy(),
        }
        return [step for name, step in steps.items() if name in changed]

    def delete(self, found: Found, remote: RemoteState) -> list[Instruction]:
        return [self._call("delete the images and repository", "delete_repository", force=True)]

    def _our_tags(self, remote: RemoteState) -> Document:
        found = remote.get("ecr", "list_tags_for_resource", missing=MISSING, resourceArn=self.arn)
        return self.stack.ours_of(from_tag_list(found["tags"] if found else []))

    def _lifecycle_policy(self, remote: RemoteState) -> Document | None:
        missing = "LifecyclePolicyNotFoundException"
        found = remote.get("ecr", "get_lifecycle_policy", missing=missing, repositoryName=self.name)
        policy: Document | None = found and json.loads(found["lifecyclePolicyText"])
        return policy

    def _put_lifecycle_policy(self) -> Instruction:
        text = json.dumps(LIFECYCLE_POLICY, sort_keys=True)
        return self._call("write the lifecycle of repository", "put_lifecycle_policy", lifecyclePolicyText=text)

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self.name}", "ecr", operation, {"repositoryName": self.name, **parameters})
