"""`python -m provisioner`. Where the user has a `provisioner` package, too, Python's own rule is that theirs runs."""

# ruff: noqa: E402  # what is imported below is ours only once the names are

from __future__ import annotations

import scaler_batch

scaler_batch.claim_names()

from provisioner.cli import main

main()
