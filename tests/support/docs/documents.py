"""The documents of the repository, and what programs can read in them: blocks, commands, paths, links, headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.paths import README, ROOT

DOCS: Final = ROOT / "docs"
DOCUMENTS: Final = (README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))
FOLDERS: Final = ("console", "container", "engine", "provisioner", "tests", "docs", ".ci", ".github")
"""A name in backticks that begins with one of these and a slash is a path of the repository."""

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`([^`\n]+)`")
_PATH: Final = re.compile(r"[\w.<>*-]+(/[\w.<>*-]+)*/?")
_MODULE: Final = re.compile(rf"({'|'.join(FOLDERS[:5])})(\.\w+)+")
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class CodeBlock:
    """A fenced block of a document."""

    document: Path
    language: str
    text: str


def everything() -> str:
    """The text of all documents, one behind the other."""
    return "\n".join(document.read_text() for document in DOCUMENTS)


def blocks(language: str) -> list[CodeBlock]:
    """The fenced blocks of this language, in all documents."""
    fences = ((document, fence) for document in DOCUMENTS for fence in _FENCE.finditer(document.read_text()))
    return [CodeBlock(document, language, fence[2]) for document, fence in fences if fence[1] == language]


def commands() -> list[list[str]]:
    """The words of every `scaler-batch` command line that a shell block shows, each once."""
    lines = (line for block in blocks("sh") for line in block.text.replace("\\\n", " ").splitlines())
    shown = dict.fromkeys(line for line in lines if re.match(r"(\S*/)?scaler-batch ", line))
    return [shlex.split(line, comments=True) for line in shown]


def paths_named(document: Path) -> list[str]:
    """Paths of the repository in the prose, as written; `<name>` in one stands for any name."""
    words = _CODE.findall(_prose(document))
    return [word for word in words if _PATH.fullmatch(word) and (_is_below_a_folder(word) or _is_at_the_root(word))]


def modules_named(document: Path) -> list[str]:
    """Dotted names of our packages in the prose: modules, or something in one."""
    return [word for word in _CODE.findall(_prose(document)) if _MODULE.fullmatch(word)]


def relative_links(document: Path) -> list[str]:
    """Targets of the links and pictures that don't lead out of the repository."""
    return [link for link in _LINK.findall(_prose(document)) if "://" not in link]


def anchors(document: Path) -> set[str]:
    """What a link to a heading of the document may have behind its #, as GitHub makes it."""
    return {_slug(heading) for heading in _HEADING.findall(_prose(document))}


def table_below(document: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under that heading, without its two head lines."""
    section = document.read_text().partition(f"\n{heading}\n")[2]
    return [_cells(line) for line in _first_table(section)][2:]


def exists(path: str) -> bool:
    """Whether the repository has it; a placeholder stands for any name."""
    pattern = re.sub(r"<[^>]+>", "*", path).rstrip("/")
    return any(ROOT.glob(pattern))


def module_exists(name: str) -> bool:
    """Whether it is a package or module of ours, or a name in one."""
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file() or path.parent.with_suffix(".py").is_file()


def _prose(document: Path) -> str:
    return _FENCE.sub("", document.read_text())


def _is_below_a_folder(word: str) -> bool:
    return "/" in word and word.partition("/")[0] in FOLDERS


def _is_at_the_root(word: str) -> bool:
    return "/" not in word and word.endswith((".py", ".md"))


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _first_table(section: str) -> Iterator[str]:
    for line in section.splitlines():
        if line.startswith("|"):
            yield line
        elif line.startswith("#"):
            return


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split(" | ")]
