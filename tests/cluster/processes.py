"""The long-running parts of the cluster: started so that they outlive us, and ended exactly.

A process is known by its id and its start time, so that an id that the kernel has given to something else is never
mistaken for ours. A zombie counts as dead, for nothing may ever reap it.
"""

import json
import os
import select
import shlex
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.layout import Layout
from tests.cluster.progress import COMMAND_MARK

_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """One started process: ``started`` is the kernel's clock at its start, in ticks since boot."""

    name: str
    pid: int
    started: int

    def is_alive(self) -> bool:
        """Tell whether this very process still runs."""
        with suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return start_time(self.pid) == self.started

    def age_seconds(self) -> float:
        """Return how long it has been running."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.started / _CLOCK_TICKS


def start(where: Layout, name: str, command: Sequence[str | Path], env: dict[str, str] | None = None) -> Process:
    """Start a part in a session of its own, with its output in its log, and remember it."""
    where.logs.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    log = log_of(where, name)
    log.write_text(f"{COMMAND_MARK}{shlex.join(words)}\n")
    append = os.O_WRONLY | os.O_APPEND
    pid = os.posix_spawn(
        words[0],
        words,
        {**os.environ, **(env or {})},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Python ignores this signal, and a child would go on ignoring it.
        setsigdef=[signal.SIGPIPE],
    )
    process = Process(name, pid, start_time(pid) or 0)
    where.processes.mkdir(parents=True, exist_ok=True)
    (where.processes / f"{name}.json").write_text(json.dumps(asdict(process)))
    return process


def find(where: Layout, name: str) -> Process | None:
    """Return a part as it was started, dead or alive, or None when it never was."""
    try:
        return Process(**json.loads((where.processes / f"{name}.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_alive(where: Layout, name: str) -> bool:
    """Tell whether a part runs."""
    process = find(where, name)
    return process is not None and process.is_alive()


def stop(where: Layout, names: Iterable[str], seconds: float) -> None:
    """End parts together: ask, wait at most ``seconds``, then kill."""
    processes = [process for name in names if (process := find(where, name)) is not None]
    end(processes, seconds)
    for process in processes:
        (where.processes / f"{process.name}.json").unlink(missing_ok=True)


def end(processes: Sequence[Process], seconds: float) -> None:
    """End processes together: ask, wait at most ``seconds``, then kill and wait for it."""
    for sign, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
        alive = [process for process in processes if process.is_alive()]
        for process in alive:
            with suppress(ProcessLookupError):
                os.kill(process.pid, sign)
        _wait(alive, patience)


def log_of(where: Layout, name: str) -> Path:
    """Return the log of a part."""
    return where.logs / f"{name}.log"


def start_time(pid: int) -> int | None:
    """Return when a process started, or None when there is no such process or it is a zombie."""
    state, started = _state(pid)
    return None if state in "ZX" else started


def by_command(needle: str) -> list[Process]:
    """Return the living processes with ``needle`` as one word of their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            started = start_time(int(folder.name))
            if needle.encode() in words and started is not None:
                found.append(Process(needle, int(folder.name), started))
    return found


def _state(pid: int) -> tuple[str, int | None]:
    """Return the state and the start of a process; one that is gone counts as dead."""
    try:
        text = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return "X", None
    # The name is in parentheses and may hold anything, so count from behind it.
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _wait(processes: Sequence[Process], seconds: float) -> None:
    """Wait until all have ended, at most ``seconds``."""
    deadline = time.monotonic() + seconds
    for process in processes:
        try:
            handle = os.pidfd_open(process.pid)
        except ProcessLookupError:
            continue
        try:
            # The id may have gone to another process before the handle was opened. A zombie is waited for too: its
            # first thread has ended, and others may still hold what the process held.
            if _state(process.pid)[1] == process.started:
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        finally:
            os.close(handle)
        process.is_alive()  # reaps a child of ours
