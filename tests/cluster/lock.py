"""One command at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.layout import Layout
from tests.cluster.progress import say


@contextmanager
def locked(where: Layout) -> Iterator[None]:
    """Let only one command at a time change the cluster; others wait."""
    with alone(where.lock, "another command that is changing the cluster"):
        yield


@contextmanager
def alone(lock: Path, who: str) -> Iterator[None]:
    """Let only one process at a time hold a file, which is made where there is none; others wait for ``who``."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for {who} ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
