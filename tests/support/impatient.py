"""`holdfast` commands side by side, each again and again, with locks that live for seconds.

`python -m tests.support.impatient JSON`, where JSON is a list of command lines; ``OLDEST`` in one is the oldest backup
of the moment, ``FRESH`` the name of a database that no turn had before. Each has a process of its own, forked from one
that has imported all. Prints a JSON line when one has started (``command``, ``pid``), and one for each turn (``pid``,
``code``, ``why``). With ``once`` behind it, one turn of each, in order.

For tests of what is killed beside what goes on.
"""

import contextlib
import io
import json
import os
import random
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import typer

from holdfast.cli import app
from holdfast.errors import HoldfastError
from holdfast.repository import locks
from holdfast.wiring.opening import open_store

LEASE, MARGIN, RENEWAL, PATIENCE = (timedelta(seconds=seconds) for seconds in (2, 2, 0.3, 20))


def main() -> None:
    locks.LEASE, locks.MARGIN, locks.RENEWAL, locks.PATIENCE = LEASE, MARGIN, RENEWAL, PATIENCE
    locks.uniform = lambda a, b: random.uniform(a, b) / 10  # type: ignore[attr-defined] # noqa: S311
    command: Any = typer.main.get_command(app)
    commands = json.loads(sys.argv[1])
    if sys.argv[2:] == ["once"]:
        for arguments in commands:
            _say(command=arguments[0], **_turn(command, arguments, "once"))
        return
    for arguments in commands:
        pid = os.fork()
        if pid == 0:
            _say(command=arguments[0], pid=os.getpid())
            for number in count():
                _say(pid=os.getpid(), **_turn(command, arguments, f"{os.getpid()}_{number}"))
                time.sleep(random.uniform(0, 1))  # noqa: S311 (else nobody who must be alone ever would be)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _say(**facts: object) -> None:
    os.write(1, json.dumps(facts).encode() + b"\n")


def _turn(command: Any, arguments: Sequence[str], turn: str) -> dict[str, object]:
    said = io.StringIO()
    try:
        chosen = [one.replace("FRESH", turn) if one != "OLDEST" else _oldest(arguments) for one in arguments]
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            code = command.main(chosen, standalone_mode=False)
    except HoldfastError as error:
        return {"code": error.exit_code, "why": f"{error.reason}: {error}"}
    return {"code": int(code or 0), "why": ""}


def _oldest(arguments: Sequence[str]) -> str:
    address = arguments[arguments.index("--repository") + 1]
    uri = os.environ["MONGODB_URI"]
    with contextlib.closing(open_store(address, uri=uri, uri_origin="the test", database=None)) as store:
        return min((key.removeprefix("backups/") for key in store.keys("backups/")), default="none")


if __name__ == "__main__":
    main()
