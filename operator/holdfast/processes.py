"""A crew of processes, so that work on documents runs on several processors: one interpreter has one lock.

The processes are forked before anything else is started, while this one has no thread and no connection; they share
its memory until they are used, and cost next to nothing where they are not.
"""

import logging
import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Event as SharedEvent
from pathlib import Path
from threading import Event
from typing import Any, Generic, NoReturn, TypeAlias, cast

from holdfast.errors import HoldfastError, Interrupted, ProcessKilled
from holdfast.services.crew import Result, Step, Task, Work

MOST = 4
"""Readers. More would be felt by the database that is read."""
_LOOK_SECONDS = 0.2
_NICE = 10
_END_SECONDS = 10.0
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


WorkOpener: TypeAlias = Callable[[], AbstractContextManager[Work[Task, Step, Result]]]
"""Opens what the work needs, in the process that calls it. Must survive pickling."""

_log = logging.getLogger(__name__)


def processors() -> int:
    """Processors that this process may use: its affinity, and its cgroup's quota (cgroup v2, ``cpu.max``)."""
    count = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = _CPU_LIMIT.read_text().split()
        count = min(count, max(1, round(int(quota) / int(period))))
    return count


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    busy: Any = None
    opened: Any = None


class Processes:
    """Forked processes that wait for work. Make it first of all; ``close`` it last."""

    def __init__(self, count: int | None = None, *, polite: bool = False) -> None:
        """``polite``: this process and its helpers step back where others want the processor, such as a database on the
        same machine (nice(2))."""
        if polite:
            os.nice(_NICE)
        context = get_context("fork")
        self._halt = context.Event()
        self._workers: list[_Worker] = []
        count = min(MOST, processors()) if count is None else count
        for _ in range(count if count > 1 else 0):
            ours, theirs = context.Pipe()
            others = [worker.pipe for worker in self._workers]
            process = context.Process(target=_serve, args=(theirs, [ours, *others], self._halt), daemon=True)
            process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))

    def crew(self, opener: WorkOpener[Task, Step, Result]) -> "ProcessCrew[Task, Step, Result] | None":
        """These processes as a crew for one kind of work; None if there are none."""
        return ProcessCrew(self._workers, self._halt, opener) if self._workers else None

    def close(self) -> None:
        for worker in self._workers:
            worker.pipe.close()  # which ends it
        for worker in self._workers:
            worker.process.join(_END_SECONDS)
            if worker.process.is_alive():
                worker.process.kill()
        self._workers.clear()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ProcessCrew(Generic[Task, Step, Result]):
    """Implements :class:`holdfast.services.crew.Crew`. ProcessKilled if one of the processes dies."""

    def __init__(self, workers: list[_Worker], halt: SharedEvent, opener: WorkOpener[Task, Step, Result]) -> None:
        self._workers, self._halt, self._opener = workers, halt, opener

    @property
    def size(self) -> int:
        return max(1, len(self._workers))

    def work(
        self, tasks: Iterable[Task], advanced: Callable[[Task, Step], None], stop: Event
    ) -> Iterator[tuple[Task, Result | HoldfastError]]:
        queue = iter(tasks)
        ahead: list[Task] = []
        self._halt.clear()
        try:
            while True:
                for worker in self._idle():
                    task = ahead.pop() if ahead else next(queue, None)
                    if task is not None:
                        self._give(worker, task)
                # The next one is found while these are worked on: that may take a while too.
                if not ahead:
                    ahead += islice(queue, 1)
                if not self._busy():
                    return
                if stop.is_set():
                    raise Interrupted("The work was asked to stop.", hint="The next attempt goes on from here.")
                for worker in self._answering():
                    kind, value = self._receive(worker)
                    task = cast("Task", worker.busy)
                    if kind == "step":
                        advanced(task, value)
                        continue
                    worker.busy = None
                    yield task, value
        finally:
            self._call_off()

    def _idle(self) -> Sequence[_Worker]:
        return [worker for worker in self._workers if worker.busy is None]

    def _busy(self) -> Sequence[_Worker]:
        return [worker for worker in self._workers if worker.busy is not None]

    def _answering(self) -> Sequence[_Worker]:
        ready = wait([worker.pipe for worker in self._busy()], timeout=_LOOK_SECONDS)
        return [worker for worker in self._workers if worker.pipe in ready]

    def _give(self, worker: _Worker, task: Task) -> None:
        worker.busy = task
        try:
            if worker.opened is not self._opener:
                worker.pipe.send(self._opener)
                worker.opened = self._opener
            worker.pipe.send(_Order(task))
        except OSError:
            self._lost(worker)

    def _receive(self, worker: _Worker) -> tuple[str, Any]:
        try:
            return cast("tuple[str, Any]", worker.pipe.recv())
        except (EOFError, OSError):
            self._lost(worker)

    def _lost(self, worker: _Worker) -> NoReturn:
        self._workers.remove(worker)
        worker.pipe.close()
        worker.process.join(_END_SECONDS)
        code = worker.process.exitcode
        how = f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
        raise ProcessKilled(
            f"One of the worker processes was ended by {how}.",
            hint="If memory is short (OOMKilled, SIGKILL), allow more of it, or fewer processors.",
        )

    def _call_off(self) -> None:
        """Let every process come to rest: what it does for a backup that has ended would be in vain."""
        if not self._busy():
            return
        self._halt.set()
        for worker in self._busy():
            while worker.busy:
                if not worker.pipe.poll(_END_SECONDS):
                    worker.process.kill()
                try:
                    kind, _ = worker.pipe.recv()
                except (EOFError, OSError):
                    self._workers.remove(worker)
                    break
                if kind != "step":
                    worker.busy = None


@dataclass(frozen=True)
class _Order:
    task: Any


def _serve(pipe: Connection, others: Sequence[Connection], halt: SharedEvent) -> None:
    """The life of a process: what it is sent, it does, until the other end of the pipe is closed."""
    # Ends that belong to others would keep pipes open when their owner dies.
    for other in others:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the first process tells us
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_DFL)
    code = 0
    try:
        opener = pipe.recv()
        while True:
            opener = _serve_one(opener, pipe, halt)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
    except Exception as error:  # noqa: BLE001 (its text may hold a secret: where it happened must do)
        frames = traceback.extract_tb(error.__traceback__)[-3:]
        place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
        _log.error("A process met an error that it does not know: %s in %s.", type(error).__name__, place)
        code = 1
    # Not by the interpreter's own end: that would run what the parent has registered for its own.
    os._exit(code)


def _serve_one(opener: Any, pipe: Connection, halt: SharedEvent) -> Any:
    """Do one kind of work. Returns the opener of the next."""

    def advanced(_: object, step: object) -> None:
        pipe.send(("step", step))

    order = pipe.recv()
    try:
        with opener() as work:
            while isinstance(order, _Order):
                pipe.send(("done", work(order.task, advanced, halt)))
                order = pipe.recv()
            return order
    except HoldfastError as error:
        pipe.send(("done", error))
        return opener
