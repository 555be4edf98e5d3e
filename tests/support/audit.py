"""Asks whether a dependency that is locked has a known weakness: ``make audit``, and a part of ``make check``.

``python -m tests.support.audit`` fails for a weakness, and if nobody could be asked. With ``--where-possible`` it says
that nobody could be asked, and fails for a weakness alone: on a machine without the service, all else can be checked.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements/runtime.txt", "requirements/build.txt")
"""What is in the image, and what it is built with."""
_SECONDS = 300


@dataclass(frozen=True)
class Finding:
    """What came of asking. ``asked``: whether the service answered for all; ``weak``: whether it knows a weakness."""

    asked: bool
    weak: bool
    lines: tuple[str, ...]


def judge(report: str, said: str) -> Finding:
    """Given what pip-audit printed as JSON, and what it said beside."""
    try:
        dependencies: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        last = (said.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return Finding(False, False, (f"The service did not answer: {last}",))
    if not dependencies:
        return Finding(False, False, ("There was nothing to ask about.",))
    skipped = [one for one in dependencies if "skip_reason" in one]
    weak = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}"
        for one in dependencies
        for flaw in one.get("vulns", ())
    ]
    if skipped:
        names = ", ".join(one["name"] for one in skipped[:5])
        told = f"No answer about {len(skipped)} of {len(dependencies)}, such as {names}: {skipped[0]['skip_reason']}"
        lines = (*weak, told)
        return Finding(False, bool(weak), lines)
    return Finding(True, bool(weak), tuple(weak))


def audit(lock: str) -> Finding:
    """Ask about one lock file. Nothing is installed, and no name is sent but those in it."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"),
        *("--require-hashes", "--disable-pip", "--requirement", str(ROOT / lock)),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return Finding(False, False, (f"The service did not answer within {_SECONDS} s.",))
    return judge(done.stdout, done.stderr)


def main() -> int:
    """Say it, for each lock file."""
    status, where_possible = 0, "--where-possible" in sys.argv[1:]
    for lock in LOCKS:
        found = audit(lock)
        for line in found.lines:
            print(f"{lock}: {line}", file=sys.stderr)
        if found.weak:
            status = 1
        elif found.asked:
            print(f"{lock}: no known weakness")
        else:
            print(f"{lock}: NOT AUDITED", file=sys.stderr)
            status = status if where_possible else 1
    return status


if __name__ == "__main__":
    sys.exit(main())
