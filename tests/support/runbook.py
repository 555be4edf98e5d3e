"""What the pages of the documents tell people to type, and the manifests that they show."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ("README.md", *sorted(str(page.relative_to(DOCS)) for page in DOCS.glob("*.md")))
"""All that are written by hand, by what ``blocks_of`` takes."""

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPEC = {"source": {"uriSecretRef": {"name": "timetrack"}}, "schedule": {"cron": "0 2 * * *"}}
_COMMANDS = ("", "console")


@dataclass(frozen=True)
class Block:
    """A block of code, and the heading (``## …``) that it stands under."""

    language: str
    heading: str
    text: str

    @property
    def lines(self) -> list[str]:
        """Its command lines, without prompts and comments; none if it is of another kind."""
        if self.language not in _COMMANDS:
            return []
        joined = re.sub(r" *\\\n *", " ", self.text)
        whole = re.sub(r" +#.*$", "", joined, flags=re.MULTILINE).splitlines()
        prompted = [line.removeprefix("$ ") for line in whole if line.startswith("$ ")]
        return prompted or [line for line in whole if line.strip()]


def blocks_of(page: str) -> list[Block]:
    """In the order of the page, which is one of PAGES."""
    text = ((ROOT if page == "README.md" else DOCS) / page).read_text(encoding="utf-8")
    found, heading, last = [], "", 0
    for fence in _FENCE.finditer(text):
        for title in re.findall(r"^## (.+)$", text[last : fence.start()], re.MULTILINE):
            heading = title
        last, indent = fence.end(), fence[1]
        found.append(Block(fence[2], heading, re.sub(f"^{indent}", "", fence[3], flags=re.MULTILINE)))
    return found


def lines_of(page: str, section: str = "") -> list[str]:
    """Each command line, as a shell takes it. With a section: only those below the heading of that name."""
    return [line for block in blocks_of(page) if section in ("", block.heading) for line in block.lines]


def commands_of(page: str, program: str, section: str = "") -> list[list[str]]:
    """Each of these lines that starts the program, as words."""
    return [shlex.split(line, comments=True) for line in lines_of(page, section) if line.startswith(f"{program} ")]


def manifests_of(page: str) -> list[dict[str, Any]]:
    """Each manifest, made whole where the page shows a part of one."""
    texts = [block.text for block in blocks_of(page) if block.language == "yaml"]
    parts = [part for text in texts for part in yaml.safe_load_all(text)]
    return [whole for part in parts for whole in _whole(part)]


def _whole(part: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "apiVersion" in part:
        yield part
    elif "policies" in part:  # a value of the chart
        for one in part["policies"]:
            yield _object("BackupPolicy", one["spec"])
    elif "storage" in part:
        yield _object("BackupPolicy", {**_SPEC, **part})
    elif "backupRunRef" in part.get("spec", {}).get("source", {}):
        yield _object("RestoreRun", part["spec"])
    elif "spec" in part:
        yield _object("BackupPolicy", {**_SPEC, **part["spec"]})
    elif not all(name.startswith("resource.customizations.") for name in part):  # those are of Argo CD
        raise AssertionError(f"what is this a part of? {part}")


def _object(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "holdfast.dev/v1alpha1", "kind": kind, "metadata": {"name": "shown"}, "spec": spec}
