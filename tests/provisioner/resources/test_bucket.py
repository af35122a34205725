"""S3 bucket: private, encrypted and TLS only; what others set stays."""

from __future__ import annotations

import json

from provisioner.clients import Clients
from provisioner.resources.bucket import EXPIRY_RULE
from provisioner.stack.spec import ProvisionSpec
from tests.support.provisioner.account import ACCOUNT, REGION
from tests.support.provisioner.stacks import (
    apply,
)

SPEC = ProvisionSpec(image="123456789012.dkr.ecr.us-east-1.amazonaws.com/worker:1", memory=4000)
BUCKET = f"scaler-batch-{ACCOUNT}-{REGION}"


def test_the_bucket_is_private_encrypted_and_for_tls_only(clients: Clients) -> None:
    apply(SPEC, clients)
    words = {"Bucket": BUCKET}
    blocked = clients.call("s3", "get_public_access_block", words)["PublicAccessBlockConfiguration"]
    (rule,) = clients.call("s3", "get_bucket_encryption", words)["ServerSideEncryptionConfiguration"]["Rules"]
    owner = clients.call("s3", "get_bucket_ownership_controls", words)["OwnershipControls"]["Rules"][0]
    (statement,) = json.loads(clients.call("s3", "get_bucket_policy", words)["Policy"])["Statement"]
    assert all(blocked.values())
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert owner["ObjectOwnership"] == "BucketOwnerEnforced"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_lifecycle_rules_and_policy_statements_of_others_are_left_alone(clients: Clients) -> None:
    apply(SPEC, clients)
    foreign = {"ID": "mine", "Filter": {"Prefix": "x/"}, "Status": "Enabled", "Expiration": {"Days": 9}}
    rules = {"Bucket": BUCKET, "LifecycleConfiguration": {"Rules": [foreign]}}
    clients.call("s3", "put_bucket_lifecycle_configuration", rules)
    theirs = {"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "s3:GetObject"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**theirs, "Resource": f"arn:aws:s3:::{BUCKET}/*"}]})
    clients.call("s3", "put_bucket_policy", {"Bucket": BUCKET, "Policy": policy})
    apply(SPEC, clients)
    found = clients.call("s3", "get_bucket_lifecycle_configuration", {"Bucket": BUCKET})["Rules"]
    statements = json.loads(clients.call("s3", "get_bucket_policy", {"Bucket": BUCKET})["Policy"])["Statement"]
    assert {rule["ID"] for rule in found} == {"mine", EXPIRY_RULE}
    assert {statement["Sid"] for statement in statements} == {"Theirs", "TLSOnly"}
