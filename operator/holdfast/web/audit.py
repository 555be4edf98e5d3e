"""Who changed what, when, and from where: a JSON line each, on standard output, apart from the log."""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from holdfast.ports import Viewer
from holdfast.resources.base import format_time


class Audit:
    """Writes each line at once: it is there even if the process dies next."""

    def __init__(self, clock: Callable[[], datetime], output: TextIO | None = None) -> None:
        self._clock, self._output = clock, output or sys.stdout

    def tell(self, viewer: Viewer, action: str, namespace: str, name: str, *, origin: str, result: str) -> None:
        """``result``: Done, or the reason why not; ``origin``: the address that the request came from."""
        line = {
            "time": format_time(self._clock()),
            "who": viewer.name,
            "action": action,
            "namespace": namespace,
            "name": name,
            "from": origin,
            "result": result,
        }
        # One write of one line: threads must not mix theirs.
        self._output.write(json.dumps(line) + "\n")
        self._output.flush()
