"""All that people do to a stack with the provisioner's commands, in an account where others spoil what they made."""

from __future__ import annotations

import json
import time
from typing import Any

import typer
from typer.testing import CliRunner

from provisioner.clients import Clients
from provisioner.commands.cleanup import cleanup
from provisioner.commands.doctor import doctor
from provisioner.commands.plan import plan
from provisioner.commands.provision import provision
from provisioner.commands.show import show
from provisioner.image.registry import credentials
from provisioner.stack.naming import TAG
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.permissions.recording import RecordingAWS
from tests.support.provisioner.stacks import NOTHING_MUCH

PREFIX = "scaler-batch"
BUCKET = f"{PREFIX}-{ACCOUNT}-{REGION}"
ROLE = f"{PREFIX}-instance-{REGION}"
OTHERS = f"arn:aws:iam::{ACCOUNT}:policy/others"
IMAGE_TAG = "made-by-us"
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
REASON_S = 30

app = typer.Typer()
for command in (plan, provision, show, cleanup, doctor):
    app.command()(command)


class StackLife:
    """The commands as a user of the account, and the account as its administrator. Call in the order of definition."""

    def __init__(self, aws: RecordingAWS) -> None:
        self._aws = aws

    def run(self, *words: str, exit_code: int = 0) -> None:
        done = CliRunner().invoke(app, list(words))
        assert done.exit_code == exit_code, (words, done.output, done.exception)

    def make(self, *flags: str) -> None:
        self.run("plan")
        self.run("provision", "--image", self._image(), "--spot", "--yes", *flags)
        credentials(Clients(REGION))  # build-image's log-in: it needs no engine to be asked for

    def change(self, *flags: str) -> None:
        words = ("--image", self._image(), "--spot", "--max-vcpus", "16", "--memory", "4096", *flags)
        self.run("plan", *words)
        self.run("provision", *words, "--yes")
        self.run("provision", "--image", "docker.io/me/worker:2", "--yes", *flags)  # Spot is no longer wanted

    def examine(self) -> None:
        """With a job that can't start, so that doctor looks at everything there is."""
        self.take_pushed_image()
        self.start_instances()
        self._aws.fault("no-capacity:1")
        self.run("doctor", exit_code=0)
        self.run("doctor", "--job", self._waiting_job())
        self.run("show", "--live")

    def take_pushed_image(self) -> None:
        """One that ECR knows."""
        self.run("provision", "--image", self._image(), "--yes")
        self._push()

    def remove(self) -> None:
        self._fill_bucket()
        self.run("plan", "--destroy")
        self.run("cleanup", "--yes")

    def spoil(self) -> None:
        """Every setting of every resource is changed by somebody else."""
        self._spoil_bucket()
        self._spoil_registry_and_logs()
        self._spoil_roles()
        self._spoil_network()
        self._call("batch", "update_job_queue", jobQueue=f"{PREFIX}-queue", state="DISABLED")

    def untag(self) -> None:
        """Nothing says any more whose it is."""
        self._call("s3", "delete_bucket_tagging", Bucket=BUCKET)
        for service, arn in (
            ("logs", f"log-group:/scaler/{PREFIX}"),
            ("ecr", f"repository/{PREFIX}-worker"),
            ("batch", f"compute-environment/{PREFIX}-compute"),
            ("batch", f"job-queue/{PREFIX}-queue"),
        ):
            self._call(
                service, "untag_resource", resourceArn=f"arn:aws:{service}:{REGION}:{ACCOUNT}:{arn}", tagKeys=[TAG]
            )
        for role in ("job", "execution", "instance"):
            self._call("iam", "untag_role", RoleName=f"{PREFIX}-{role}-{REGION}", TagKeys=[TAG])
        self._call("iam", "untag_instance_profile", InstanceProfileName=ROLE, TagKeys=[TAG])
        self._call("ec2", "delete_tags", Resources=[self._group(), self._template()], Tags=[{"Key": TAG}])

    def unbind(self) -> None:
        """Somebody takes the boundary off a role."""
        self._call("iam", "delete_role_permissions_boundary", RoleName=ROLE)

    def make_boundary(self) -> str:
        self._call("iam", "create_policy", PolicyName="others", PolicyDocument=NOTHING_MUCH)
        return OTHERS

    def _spoil_bucket(self) -> None:
        for what in ("encryption", "lifecycle", "policy"):
            self._call("s3", f"delete_bucket_{what}", Bucket=BUCKET)
        self._call("s3", "delete_public_access_block", Bucket=BUCKET)
        controls = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        self._call("s3", "put_bucket_ownership_controls", Bucket=BUCKET, OwnershipControls=controls)

    def _spoil_registry_and_logs(self) -> None:
        name = f"{PREFIX}-worker"
        scanning = {"scanOnPush": False}
        self._call("ecr", "put_image_tag_mutability", repositoryName=name, imageTagMutability="MUTABLE")
        self._call("ecr", "put_image_scanning_configuration", repositoryName=name, imageScanningConfiguration=scanning)
        self._call("ecr", "delete_lifecycle_policy", repositoryName=name)
        self._call("logs", "delete_retention_policy", logGroupName=f"/scaler/{PREFIX}")

    def _spoil_roles(self) -> None:
        trusted = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
        job = f"{PREFIX}-job-{REGION}"
        self._call("iam", "update_assume_role_policy", RoleName=job, PolicyDocument=document)
        self._call("iam", "put_role_policy", RoleName=job, PolicyName=PREFIX, PolicyDocument=NOTHING_MUCH)
        self._call("iam", "put_role_permissions_boundary", RoleName=job, PermissionsBoundary=OTHERS)
        self._call("iam", "attach_role_policy", RoleName=job, PolicyArn=OTHERS)
        self._call("iam", "remove_role_from_instance_profile", InstanceProfileName=ROLE, RoleName=ROLE)

    def _spoil_network(self) -> None:
        way_in = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        self._call("ec2", "authorize_security_group_ingress", GroupId=self._group(), IpPermissions=[way_in])
        made = self._call(
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=self._template(),
            LaunchTemplateData={"InstanceInitiatedShutdownBehavior": "stop"},
        )["LaunchTemplateVersion"]
        version = str(made["VersionNumber"])
        self._call("ec2", "modify_launch_template", LaunchTemplateId=self._template(), DefaultVersion=version)

    def _push(self) -> None:
        layer = {"mediaType": "application/octet-stream", "size": 2, "digest": f"sha256:{'1' * 64}"}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": layer, "layers": [layer]}
        self._call(
            "ecr",
            "put_image",
            repositoryName=f"{PREFIX}-worker",
            imageManifest=json.dumps(manifest),
            imageTag=IMAGE_TAG,
        )

    def start_instances(self) -> None:
        """The scaling group that AWS Batch makes for an environment."""
        template = {"LaunchTemplateName": f"{PREFIX}-instances", "Version": "1"}
        self._call(
            "autoscaling",
            "create_auto_scaling_group",
            AutoScalingGroupName=f"AWSBatch-{PREFIX}-compute-asg-1",
            LaunchTemplate=template,
            MinSize=0,
            MaxSize=0,
            AvailabilityZones=[f"{REGION}a"],
        )

    def _image(self) -> str:
        return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}-worker:{IMAGE_TAG}"

    def _waiting_job(self) -> str:
        """One that AWS says about why it does not run."""
        names = {"jobQueue": f"{PREFIX}-queue", "jobDefinition": f"{PREFIX}-job"}
        job: str = self._call("batch", "submit_job", jobName="waits", **names)["jobId"]
        deadline = time.monotonic() + REASON_S
        while not self._call("batch", "describe_jobs", jobs=[job])["jobs"][0].get("statusReason"):
            assert time.monotonic() < deadline, "the job got no reason"
            time.sleep(0.05)
        return job

    def _fill_bucket(self) -> None:
        self._call("s3", "put_object", Bucket=BUCKET, Key="scaler-tasks/wm/results/x", Body=b"x")
        self._call("s3", "create_multipart_upload", Bucket=BUCKET, Key="scaler-tasks/wm/objects/y")

    def _group(self) -> str:
        condition = {"Name": "group-name", "Values": [f"{PREFIX}-instances"]}
        found: str = self._call("ec2", "describe_security_groups", Filters=[condition])["SecurityGroups"][0]["GroupId"]
        return found

    def _template(self) -> str:
        found = self._call("ec2", "describe_launch_templates", LaunchTemplateNames=[f"{PREFIX}-instances"])
        template: str = found["LaunchTemplates"][0]["LaunchTemplateId"]
        return template

    def _call(self, service: str, operation: str, **parameters: object) -> Any:
        return getattr(self._aws.client(service), operation)(**parameters)
