"""The embedded stand-in for AWS that `scaler-batch local` and the tests use: `aws.LocalAWS`, `cluster.LocalCluster`.

AWS Batch, the hot calls of S3 and the reading of jobs' logs are our own; everything else (IAM, EC2, ECR, STS, the rest
of S3 and Logs) is moto, with the rules on top that moto lacks. It is as strict as AWS is documented to be, and where
the documentation is silent, as strict as was seen. How it differs from AWS:

- Speed: a state lasts as long as `options.Delays` says (by default no time at all) instead of seconds to minutes, and
  `time_scale` shortens AWS's own times. Nothing is throttled and nothing fails unless a fault is switched on
  (`faults/faults.py`).
- Credentials: any are good. Signatures and IAM policies are not checked; bucket policies are, as far as moto can.
- Batch: single jobs and arrays of type container, in one region. Dependencies between jobs, multi-node jobs and
  overrides of EKS or ECS properties are refused in words; a fair-share policy is kept and not obeyed. There are no
  instances: a job starts when its environment has that many vCPUs left (`batch/jobs/placement.py`).
- Jobs run in forked processes of this Python, which share file system, network and user (`processes/`), or with
  `containers=True` in containers of the Docker engine, stricter than AWS is by default (`docker/`).
- Storage: objects and log lines live in memory, bounded (`options.LocalAWSOptions`), and end with the process.

`tests/provisioner/local` holds the rules, room by room. Where a rule imitates AWS, its module names AWS's page.
"""
