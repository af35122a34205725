"""Launch template: tokens for metadata, encrypted disks; a changed one gets a new default version."""

from __future__ import annotations

import base64
import dataclasses
import email
import subprocess
import sys
from pathlib import Path

import pytest

from provisioner.clients import Clients
from provisioner.resources.user_data import ARCHIVE, SCRIPT
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.stacks import (
    apply,
    changes,
    compute_resources,
    plan_for,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)


def test_instances_have_no_way_in_and_want_tokens_for_metadata(clients: Clients) -> None:
    apply(SPEC, clients)
    groups = clients.listing("ec2", "describe_security_groups", "SecurityGroups", {})
    (group,) = (group for group in groups if group["GroupName"] == "scaler-batch-instances")
    words = {"LaunchTemplateName": "scaler-batch-instances", "Versions": ["$Default"]}
    (version,) = clients.call("ec2", "describe_launch_template_versions", words)["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert group["IpPermissions"] == []
    assert compute_resources(clients)["securityGroupIds"] == [group["GroupId"]]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert base64.b64decode(data["UserData"]).decode() == ARCHIVE


def test_a_default_version_that_somebody_changed_is_replaced_by_a_new_one(clients: Clients) -> None:
    apply(SPEC, clients)
    name = {"LaunchTemplateName": "scaler-batch-instances"}
    clients.call("ec2", "create_launch_template_version", {**name, "LaunchTemplateData": {"InstanceType": "c7i.large"}})
    clients.call("ec2", "modify_launch_template", {**name, "DefaultVersion": "2"})
    assert "update launch template scaler-batch-instances" in changes(plan_for(SPEC, clients))
    apply(SPEC, clients)
    (template,) = clients.call("ec2", "describe_launch_templates", {})["LaunchTemplates"]
    assert template["DefaultVersionNumber"] == 3
    assert "update launch template scaler-batch-instances" not in changes(plan_for(SPEC, clients))


@pytest.mark.long
def test_the_size_of_the_disk_is_as_asked_for(clients: Clients) -> None:
    apply(dataclasses.replace(SPEC, disk_gib=200), clients)
    words = {"LaunchTemplateName": "scaler-batch-instances", "Versions": ["$Default"]}
    (version,) = clients.call("ec2", "describe_launch_template_versions", words)["LaunchTemplateVersions"]
    assert version["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 200
    assert "update launch template scaler-batch-instances" in changes(plan_for(SPEC, clients))


# ---- what instances do before any job


def boothook() -> str:
    """As cloud-init runs it: the part's content behind its first line."""
    archive = email.message_from_string(ARCHIVE)
    _, part = archive.walk()
    assert (archive.get_content_type(), part.get_content_type()) == ("multipart/mixed", "text/cloud-boothook")
    first, _, rest = str(part.get_payload()).partition("\n")
    assert first == "#cloud-boothook"
    return rest


def run_boothook(folder: Path, iptables: str) -> tuple[str, list[str]]:
    """What it says, and what it asked of `iptables` and `ip6tables`, which are this shell script."""
    for name in ("iptables", "ip6tables"):
        (folder / name).write_text(f'#!/bin/sh\necho "${{0##*/}} $*" >> {folder}/asked\n{iptables}\n')
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", boothook()], env={"PATH": str(folder)}, capture_output=True, text=True, check=True
    )
    return done.stdout, (folder / "asked").read_text().splitlines()


def test_the_archive_is_plain_text_that_cloud_init_takes_apart() -> None:
    assert boothook().startswith("#!/bin/sh\n")
    assert SCRIPT.isascii()


def test_metadata_is_shut_in_both_families_for_all_users_but_root(tmp_path: Path) -> None:
    said, asked = run_boothook(tmp_path, 'case "$*" in *--check*) exit 1 ;; esac')
    rule = "--protocol tcp --match owner ! --uid-owner 0 --jump REJECT --reject-with tcp-reset"
    assert [line for line in asked if "--insert" in line] == [
        f"iptables --wait --insert OUTPUT --destination 169.254.169.254 {rule}",
        f"ip6tables --wait --insert OUTPUT --destination fd00:ec2::254 {rule}",
    ]
    assert said == ""


def test_a_second_start_adds_no_second_rule(tmp_path: Path) -> None:
    assert [line for line in run_boothook(tmp_path, "exit 0")[1] if "--insert" in line] == []


def test_an_instance_that_can_not_shut_it_says_so_and_goes_on(tmp_path: Path) -> None:
    said, _ = run_boothook(tmp_path, "exit 2")
    assert said == (
        "scaler-batch: 169.254.169.254 stays open to jobs\nscaler-batch: fd00:ec2::254 stays open to jobs\n"
    )


CONNECT = """
import fcntl, os, socket, struct, subprocess, sys
address = struct.pack("16sH2x4s8x", b"lo", socket.AF_INET, socket.inet_aton("169.254.169.254"))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    fcntl.ioctl(control, 0x8916, address)  # SIOCSIFADDR
    fcntl.ioctl(control, 0x8914, struct.pack("16sh14x", b"lo", 0x49))  # SIOCSIFFLAGS: up, loopback, running
subprocess.run(["/bin/sh", sys.argv[1]], check=True)
with socket.create_server(("169.254.169.254", 80)):
    for user in (0, 65534):
        if not (child := os.fork()):
            os.setuid(user)
            try:
                socket.create_connection(("169.254.169.254", 80), 10).close()
            except ConnectionRefusedError:
                os._exit(1)
            os._exit(0)
        print(user, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.long
@pytest.mark.usefixtures("container_daemon")  # runs where it does: it takes root and iptables
def test_the_kernel_lets_root_through_and_refuses_a_jobs_user(tmp_path: Path) -> None:
    """In a network of its own, whose loopback has the metadata's address."""
    (tmp_path / "hook").write_text(boothook())
    command = ["unshare", "--net", sys.executable, "-c", CONNECT, str(tmp_path / "hook")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0 0", "65534 1"]
