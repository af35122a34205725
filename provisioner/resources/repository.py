"""ECR repository of the images that `build-image` makes: a tag never moves, and every push is scanned."""

from __future__ import annotations

import json
from typing import Final

from provisioner.clients import Document
from provisioner.kinds import ResourceKind
from provisioner.plan.model import ApiCall, FieldChange, Instruction
from provisioner.plan.remote import RemoteState
from provisioner.resources.resource import ObservedResource, Resource, TemplateResource
from provisioner.stack.naming import Stack, as_tag_list, from_tag_list
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
    """ECR repository of a stack's images. Rules of others in its lifecycle policy stay, behind ours."""

    kind = ResourceKind.REPOSITORY
    outlives_spec = True  # its images may be asked for again
    exact = frozenset({"lifecyclePolicy"})

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, stack.repository)

    @property
    def arn(self) -> str:
        """ARN of the repository."""
        return self.stack.arn("ecr", f"repository/{self.name}")

    @property
    def remove_command(self) -> str:
        """AWS CLI command that deletes the repository with its images."""
        return f"aws ecr delete-repository --repository-name {self.name} --force --region {self.stack.region}"

    def is_desired(self, spec: ProvisionSpec) -> bool:
        """True when the image comes, or came, from the stack's own repository."""
        image = spec.image
        return image is None or f"/{self.name}@" in image or f"/{self.name}:" in image

    def read(self, remote: RemoteState) -> ObservedResource | None:
        """Repository with its settings; `detail` is its URI."""
        found = remote.get("ecr", "describe_repositories", missing=MISSING, repositoryNames=[self.name])
        if found is None:
            return None
        repository, rules = found["repositories"][0], self._rules(remote)
        encryption = repository.get("encryptionConfiguration", {})
        return ObservedResource(
            {
                "tags": self._our_tags(remote),
                "imageTagMutability": repository["imageTagMutability"],
                "scanOnPush": repository["imageScanningConfiguration"]["scanOnPush"],
                "lifecyclePolicy": {"rules": ours} if (ours := [one for one in rules if _is_ours(one)]) else None,
                "encryption": encryption,
            },
            detail=repository["repositoryUri"],
            kept={"rules": [one for one in rules if not _is_ours(one)]},
        )

    def desired(self, spec: ProvisionSpec, remote: RemoteState) -> Document:
        """Repository with immutable tags, a scan on each push, and an expiry of untagged images."""
        return {
            "tags": self.stack.tags,
            "imageTagMutability": "IMMUTABLE",
            "scanOnPush": True,
            "lifecyclePolicy": LIFECYCLE_POLICY,
            **({} if (key := self.stack.kms_key) is None else {"encryption": {"encryptionType": "KMS", "kmsKey": key}}),
        }

    def compare(self, found: ObservedResource | None, desired: Document) -> tuple[FieldChange, ...]:
        """Changes, without the encryption of what lives: ECR changes that of no repository, and its images are in use.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
        """
        asked = desired if found is None else {name: one for name, one in desired.items() if name != "encryption"}
        return super().compare(found, asked)

    def notes(self, found: ObservedResource | None, desired: Document) -> tuple[str, ...]:
        """Note where images stay under another key."""
        wanted = desired.get("encryption", {}).get("kmsKey")
        if found is None or wanted is None or found.properties["encryption"].get("kmsKey") == wanted:
            return ()
        stays = f"The repository {self.name} stays under the key that it was made with: ECR can't change that"
        return (f"{stays}. `{self.remove_command}` and the next build-image make it anew.",)

    def create(self, desired: Document) -> list[Instruction]:
        """Creation, then the lifecycle policy."""
        made = self._call(
            "create repository",
            "create_repository",
            tags=self.stack.tag_list,
            imageTagMutability=desired["imageTagMutability"],
            imageScanningConfiguration={"scanOnPush": desired["scanOnPush"]},
            **({"encryptionConfiguration": desired["encryption"]} if "encryption" in desired else {}),
        )
        return [made, self._put_lifecycle_policy([])]

    def update(self, found: ObservedResource, desired: Document, changed: frozenset[str]) -> list[Instruction]:
        """Calls that write the settings that differ."""
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
            "lifecyclePolicy": self._put_lifecycle_policy(found.kept["rules"]),
        }
        return [step for name, step in steps.items() if name in changed]

    def delete(self, found: ObservedResource, remote: RemoteState) -> list[Instruction]:
        """Deletion with all images."""
        return [self._call("delete the images and repository", "delete_repository", force=True)]

    def cloudformation(self, desired: Document) -> list[TemplateResource]:
        """Repository with its lifecycle policy, deleted with its images as a cleanup does."""
        properties = {
            "RepositoryName": self.name,
            "EmptyOnDelete": True,
            "ImageTagMutability": desired["imageTagMutability"],
            "ImageScanningConfiguration": {"ScanOnPush": desired["scanOnPush"]},
            "LifecyclePolicy": {"LifecyclePolicyText": json.dumps(desired["lifecyclePolicy"], sort_keys=True)},
            **({"EncryptionConfiguration": _encryption(desired["encryption"])} if "encryption" in desired else {}),
            "Tags": as_tag_list(desired["tags"]),
        }
        return [("AWS::ECR::Repository", properties)]

    def _our_tags(self, remote: RemoteState) -> Document:
        found = remote.get("ecr", "list_tags_for_resource", missing=MISSING, resourceArn=self.arn)
        return self.stack.ours_of(from_tag_list(found["tags"] if found else []))

    def _rules(self, remote: RemoteState) -> list[Document]:
        missing = "LifecyclePolicyNotFoundException"
        found = remote.get("ecr", "get_lifecycle_policy", missing=missing, repositoryName=self.name)
        rules: list[Document] = json.loads(found["lifecyclePolicyText"])["rules"] if found else []
        return rules

    def _put_lifecycle_policy(self, others: list[Document]) -> Instruction:
        text = json.dumps({"rules": [*LIFECYCLE_POLICY["rules"], *_behind_ours(others)]}, sort_keys=True)
        return self._call("write the lifecycle of repository", "put_lifecycle_policy", lifecyclePolicyText=text)

    def _call(self, what: str, operation: str, **parameters: object) -> Instruction:
        return ApiCall(f"{what} {self.name}", "ecr", operation, {"repositoryName": self.name, **parameters})


def _encryption(given: Document) -> Document:
    return {"EncryptionType": given["encryptionType"], "KmsKey": given["kmsKey"]}


def _is_ours(rule: Document) -> bool:
    """By its description: priorities are the order among all rules."""
    return bool(rule.get("description") == LIFECYCLE_POLICY["rules"][0]["description"])


def _behind_ours(others: list[Document]) -> list[Document]:
    """Rules in their order; no two may have one priority, and one for all images has to be the last."""
    ordered = sorted(others, key=lambda one: int(one["rulePriority"]))
    first = LIFECYCLE_POLICY["rules"][0]["rulePriority"] + 1
    return [{**one, "rulePriority": max(first + place, one["rulePriority"])} for place, one in enumerate(ordered)]
