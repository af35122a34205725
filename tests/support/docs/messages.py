"""The messages that the runbook explains, and what the programs can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from tests.support.docs.documents import DOCS
from tests.support.paths import ROOT

PACKAGES: Final = ("console", "container", "engine", "provisioner")
SECTIONS: Final = ("## Messages", "## Verdicts of a diagnosis")
ALARMING: Final = ("logger.warning", "logger.error", "logger.critical", "StartupError")
_CODE: Final = re.compile(r"`([^`\n]+)`")


def explained() -> list[str]:
    """The messages and verdicts in the first columns of the runbook's tables; `…` stands for what varies."""
    text = (DOCS / "operations.md").read_text()
    return list(dict.fromkeys(message for section in SECTIONS for message in _first_column(text, section)))


def parts(message: str) -> list[str]:
    """What the programs say word for word."""
    return [part.strip() for part in message.split("…") if part.strip()]


def sayable() -> str:
    """Every piece of text in the four packages, a line each."""
    texts = (
        text for package in PACKAGES for path in (ROOT / package).rglob("*.py") for text in _texts(path.read_text())
    )
    return "\n".join(texts)


def alarming() -> list[str]:
    """What the engine logs at WARNING and above, and the sentences that end it at its start."""
    trees = (ast.parse(path.read_text()) for path in (ROOT / "engine").rglob("*.py"))
    calls = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))
    texts = ("…".join(_texts_in(call)) for call in calls if ast.unparse(call.func) in ALARMING)
    return [text for text in texts if re.search(r"\w{4}", text)]


def is_explained(text: str) -> bool:
    """Whether some row of the runbook has all of its words in this text."""
    return any(all(part in text for part in parts(message)) for message in explained())


def _first_column(text: str, heading: str) -> Iterator[str]:
    section = text.partition(f"\n{heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| `"):
            yield from _CODE.findall(line.split(" | ")[0])


def _texts(source: str) -> Iterator[str]:
    yield from _texts_in(ast.parse(source))


def _texts_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
