"""A server for tests on a free port of this machine, that ends with them."""

import signal
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from types import TracebackType
from typing import ClassVar, Self

from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process, spawn
from tests.support.scratch import scratch_directory
from tests.support.server_programs import ServerError

START_SECONDS = 60.0
STOP_SECONDS = 30.0
PORT_TRIES = 3


class Server(ABC):
    """One process in a scratch directory, listening on loopback. Every method raises ServerError.

    The kernel ends it with the thread that started it; `stop` ends it before, and removes the directory.
    """

    name: ClassVar[str]

    def __init__(self) -> None:
        self.directory = scratch_directory(self.name)
        self.port = 0
        self._process: Process | None = None

    @staticmethod
    @abstractmethod
    def install() -> Path:
        """The program, built or installed if it was not before."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """What to run, given `port` and `directory`."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the server and wait until it listens."""
        for tries_left in reversed(range(PORT_TRIES)):
            self.port = free_port()
            self._process = spawn(self.command(), output=self._log, outlive=False)
            if self._listens(self._process):
                return self
            if not tries_left:
                break  # else somebody else took the port meanwhile, as a rule
        said = " ".join(self._log.read_text(encoding="utf-8", errors="replace").split()[-40:])
        self.stop()
        raise ServerError(f"{self.name} did not start: {said or 'it said nothing'}")

    def stop(self) -> None:
        """End the server; nothing that it kept is needed again."""
        if self._process is not None:
            self._process.send(signal.SIGKILL)
            if not self._process.wait(STOP_SECONDS):
                raise ServerError(f"{self.name} (pid {self._process.pid}) did not end within {STOP_SECONDS:.0f} s")
        rmtree(self.directory, ignore_errors=True)

    def send(self, number: signal.Signals) -> None:
        """Send its process a signal; what it kept stays."""
        if self._process is not None:
            self._process.send(number)

    def start_again(self) -> None:
        """Start it on the port that it had, with what it kept, once a signal has ended it."""
        if self._process is not None and not self._process.wait(STOP_SECONDS):
            raise ServerError(f"{self.name} (pid {self._process.pid}) has not ended: it cannot be started again")
        self._process = spawn(self.command(), output=self._log, outlive=False)
        if not self._listens(self._process):
            raise ServerError(f"{self.name} did not start again on port {self.port}: see {self._log}")

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _listens(self, process: Process) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while not process.wait(0.02):
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, self.port)) == 0:
                    return process.is_alive
            if time.monotonic() > deadline:
                process.send(signal.SIGKILL)
        return False
