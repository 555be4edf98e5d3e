"""The notes of a release: its section of CHANGELOG.md. ``python -m tests.support.release_notes VERSION``, or
``make release-notes VERSION=…``."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"
_HEADING = re.compile(r"^## +\[?([^\s\]]+)\]?(?: +- +(\S+))?\s*$", re.MULTILINE)


class NoNotes(Exception):
    """There are none; the message says what there is."""


def notes(changelog: str, version: str) -> str:
    """What the changelog says of a version, without its heading. NoNotes if it says nothing."""
    headings = list(_HEADING.finditer(changelog))
    found = [(number, heading) for number, heading in enumerate(headings) if heading[1] == version.removeprefix("v")]
    if not found:
        raise NoNotes(f"CHANGELOG.md has no section {version}; it has {', '.join(one[1] for one in headings)}.")
    number, heading = found[0]
    end = headings[number + 1].start() if number + 1 < len(headings) else len(changelog)
    text = changelog[heading.end() : end].strip()
    if not re.sub(r"^#.*$", "", text, flags=re.MULTILINE).strip():
        raise NoNotes(f"The section {version} of CHANGELOG.md says nothing.")
    return text + "\n"


def main() -> int:
    """Print them, or one sentence that says why there are none."""
    try:
        [version] = sys.argv[1:]
        sys.stdout.write(notes(CHANGELOG.read_text(encoding="utf-8"), version))
    except ValueError:
        print("error: Name one version: make release-notes VERSION=0.1.0", file=sys.stderr)
        return 2
    except NoNotes as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
