"""What the worker manager asked of the local AWS, which counts every call by its caller."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

MANAGER = "scaler-batch-manager"
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ApiCalls:
    """Calls by the manager alone; what the jobs themselves call is the same whoever submits them."""

    batch: int
    s3: int
    submissions: int

    def since(self, earlier: ApiCalls) -> ApiCalls:
        """The calls between two countings."""
        return ApiCalls(self.batch - earlier.batch, self.s3 - earlier.s3, self.submissions - earlier.submissions)


def count_calls(endpoint: str) -> ApiCalls:
    """Asks the local AWS at `endpoint`. Raises OSError when it doesn't answer."""
    # A proxy of the environment has no business between two processes of this machine.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{endpoint}/_local/calls", timeout=_TIMEOUT_SECONDS) as response:
        return tally(json.load(response)["by_caller"].get(MANAGER, {}))


def tally(by_operation: Mapping[str, int]) -> ApiCalls:
    """`{"batch.SubmitJob": 3, "s3.PutObject": 2}` summed by service."""

    def total(service: str) -> int:
        return sum(n for operation, n in by_operation.items() if operation.startswith(f"{service}."))

    return ApiCalls(total("batch"), total("s3"), by_operation.get("batch.SubmitJob", 0))
