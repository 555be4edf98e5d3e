"""The commands that a page of the documents tells people to type."""

import shlex
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def commands_of(page: str, program: str) -> list[list[str]]:
    """Each line of the page's code blocks that starts the program, as words, in the order of the page."""
    found, inside = [], False
    for line in map(str.strip, (DOCS / page).read_text(encoding="utf-8").splitlines()):
        if line.startswith("```"):
            inside = not inside
        elif inside and line.startswith(f"{program} "):
            found.append(shlex.split(line, comments=True))
    return found
