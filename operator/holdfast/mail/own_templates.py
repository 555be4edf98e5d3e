"""Templates that users wrote, rendered in a process of their own: it has little time and memory, and knows no secret.

A template is a program. Jinja's sandbox keeps it from what it must not touch, but not from going on for ever or from
filling the memory: the limits of a process do.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from holdfast.mail import template_process

WALL_SECONDS = 15.0
"""The process itself allows less; this is for a machine that has no time for it."""
TOO_MUCH = "it took more time or memory than a template may"
_ONE_AT_A_TIME = threading.Lock()
"""So that the memory of one is all that it takes of the container's."""
_PROGRAM = Path(template_process.__file__)


def rendered(
    names: Sequence[str],
    own: Mapping[str, str],
    shipped: Path,
    facts: Mapping[str, Any] | None,
    words: Mapping[str, Any],
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the named templates become, and by name why others do not.

    ``own`` go before those in the folder ``shipped``, which they may extend and include. ``words``: what every template
    knows. Without ``facts`` they are only compiled.
    """
    task = {"names": list(names), "own": dict(own), "shipped": str(shipped), "facts": facts, "words": dict(words)}
    try:
        with _ONE_AT_A_TIME:
            done = subprocess.run(
                [sys.executable, "-I", str(_PROGRAM)],
                input=json.dumps(task).encode(),
                capture_output=True,
                timeout=WALL_SECONDS,
                env={"LC_ALL": "C.UTF-8"},
                cwd="/",
                check=False,
            )
    except subprocess.TimeoutExpired:
        return {}, dict.fromkeys(names, TOO_MUCH)
    if done.returncode:
        # It was killed by a limit, and could say nothing any more.
        return {}, dict.fromkeys(names, TOO_MUCH)
    answer = json.loads(done.stdout)
    return answer["texts"], answer["faults"]
