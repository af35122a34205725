"""API calls of the worker manager, as the local AWS counts them by caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# How the manager's clients name themselves in their User-Agent.
MANAGER: Final = "scaler-batch-manager"


@dataclass(frozen=True, slots=True)
class ApiCalls:
    """Calls by the manager alone; what the jobs themselves call is the same whoever submits them."""

    batch: int
    s3: int
    submissions: int

    def since(self, earlier: ApiCalls) -> ApiCalls:
        """Subtract an earlier count."""
        return ApiCalls(self.batch - earlier.batch, self.s3 - earlier.s3, self.submissions - earlier.submissions)


def managers_calls(calls: Mapping[str, Any]) -> ApiCalls:
    """Pick the manager's calls out of what the local AWS answers: `{"by_caller": {caller: {operation: count}}}`."""
    return tally(calls["by_caller"].get(MANAGER, {}))


def tally(by_operation: Mapping[str, int]) -> ApiCalls:
    """Sum `{"batch.SubmitJob": 3, "s3.PutObject": 2}` by service."""

    def total(service: str) -> int:
        return sum(n for operation, n in by_operation.items() if operation.startswith(f"{service}."))

    return ApiCalls(total("batch"), total("s3"), by_operation.get("batch.SubmitJob", 0))
