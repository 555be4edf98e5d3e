"""One command at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.layout import Layout
from tests.cluster.progress import say


@contextmanager
def locked(where: Layout) -> Iterator[None]:
    """Let only one command at a time change the cluster; others wait."""
    where.root.mkdir(parents=True, exist_ok=True)
    with where.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another command that is changing the cluster ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
