"""The commands that a page of the documents tells people to type."""

import shlex
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def commands_of(page: str, program: str, section: str = "") -> list[list[str]]:
    """Each line of the page's code blocks that starts the program, as words, in the order of the page.

    With a section: only those below the heading of that name.
    """
    found, inside, heading = [], False, ""
    for line in map(str.strip, (DOCS / page).read_text(encoding="utf-8").splitlines()):
        if line.startswith("```"):
            inside = not inside
        elif not inside and line.startswith("## "):
            heading = line.removeprefix("## ")
        elif inside and line.startswith(f"{program} ") and section in ("", heading):
            found.append(shlex.split(line, comments=True))
    return found
