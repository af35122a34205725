"""What jobs run in these tests instead of the real runner: Python source in the command's first word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any


def main(argv: Sequence[str], environ: Mapping[str, str], make_client: Callable[[str | None], Any]) -> int:
    names: dict[str, Any] = {"environ": environ, "make_client": make_client, "argv": list(argv)}
    exec(argv[0], names)
    return int(names.get("code", 0))
