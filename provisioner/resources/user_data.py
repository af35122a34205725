"""User data of the instances: what they do before any job, in the form in which AWS Batch adds its own to it.

Batch wants a MIME archive: https://docs.aws.amazon.com/batch/latest/userguide/launch-templates.html. A cloud-boothook
runs at every start, before Docker: https://cloudinit.readthedocs.io/en/latest/explanation/format.html#cloud-boothook
"""

from __future__ import annotations

import base64
from typing import Final

METADATA: Final = {"iptables": "169.254.169.254", "ip6tables": "fd00:ec2::254"}
"""Addresses of the instance's metadata, by the program that can shut them."""

ROOT: Final = 0

_WHO: Final = f"OUTPUT --destination $2 --protocol tcp --match owner ! --uid-owner {ROOT}"
_RULE: Final = f"{_WHO} --jump REJECT --reject-with tcp-reset"
SCRIPT: Final = "\n".join(
    [
        "#cloud-boothook",
        "#!/bin/sh",
        "# Jobs share the instance's network: no user but root, as whom the ECS agent runs, may ask for its role.",
        "PATH=$PATH:/usr/sbin:/sbin",
        "shut() {",
        f'    rule="{_RULE}"',
        "    $1 --wait --check $rule 2>/dev/null && return",
        '    $1 --wait --insert $rule || echo "scaler-batch: $2 stays open to jobs"',
        "}",
        *(f"shut {program} {address}" for program, address in METADATA.items()),
        "",
    ]
)
"""Shuts the metadata's addresses once. An instance without iptables goes on, and says so in cloud-init's log."""

ARCHIVE: Final = f"""MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="==SCALER-BATCH=="

--==SCALER-BATCH==
Content-Type: text/cloud-boothook; charset="us-ascii"

{SCRIPT}
--==SCALER-BATCH==--
"""


def user_data() -> str:
    """Archive in base64, as a launch template takes it."""
    return base64.b64encode(ARCHIVE.encode("ascii")).decode()
