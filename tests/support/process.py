"""A process that other code may end: known by pid and start time, so that a reused pid is never mistaken for it."""

import os
import select
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Process:
    """One process of this machine, our child or not.

    `started` is its start time in clock ticks since boot. `status` is its exit status (negative: the signal that
    ended it), known only after a child of ours has ended.
    """

    pid: int
    started: int
    status: int | None = field(default=None, init=False)

    @classmethod
    def of(cls, pid: int) -> "Process":
        """The process that has this pid now; raises ProcessLookupError if there is none."""
        return cls(pid, _stat(pid)[1])

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; one that has ended but was not reaped by its parent counts as dead."""
        try:
            state, started = _stat(self.pid)
        except ProcessLookupError:
            return False
        return started == self.started and state not in "ZX"

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens if it has ended."""
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.is_alive:
                    signal.pidfd_send_signal(descriptor, number)
            finally:
                os.close(descriptor)

    def wait(self, seconds: float) -> bool:
        """Wait until it ends, `seconds` at most; returns whether it has ended."""
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(self.pid)
            try:
                if self.is_alive:
                    ending = select.poll()
                    ending.register(descriptor, select.POLLIN)
                    if not ending.poll(seconds * 1000):
                        return False
            finally:
                os.close(descriptor)
        self._reap()
        return True

    def _reap(self) -> None:
        if self.status is not None:
            return
        with suppress(ChildProcessError):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)


def spawn(arguments: Sequence[str | Path], *, output: Path, outlive: bool) -> Process:
    """Start a program in a session of its own, with its output appended to a file.

    Unless it is to `outlive` us, the kernel kills it when the **thread** that called this ends: call it from a
    thread that lives as long as the program should. A program that cannot be started ends with status 127.
    """
    words = [str(word) for word in arguments]
    if not outlive:
        # Not a preexec_fn: that may deadlock in a process with threads, and pymongo has some.
        words = ["setpriv", "--pdeathsig", "KILL", "--", *words]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawnp(
        words[0],
        words,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process.of(pid)


def _stat(pid: int) -> tuple[str, int]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessLookupError(f"there is no process {pid}") from None
    fields = text.rpartition(")")[2].split()  # the name before it may hold spaces and brackets
    return fields[0], int(fields[19])
