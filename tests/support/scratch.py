"""Scratch directories that do not pile up when a test process is killed."""

import os
import shutil
import tempfile
from pathlib import Path

from tests.support.process import Process


def scratch_directory(purpose: str) -> Path:
    """A new directory for this process; removes those that dead processes left behind for the same purpose."""
    # Process ids mean nothing across pid namespaces, so the namespace is part of the name.
    ours = f"holdfast-{purpose}-{Path('/proc/self/ns/pid').stat().st_ino}-"
    for left in Path(tempfile.gettempdir()).glob(f"{ours}*"):
        pid, started = left.name.removeprefix(ours).split("-")[:2]
        if not Process(int(pid), int(started)).is_alive:
            shutil.rmtree(left, ignore_errors=True)
    us = Process.of(os.getpid())
    return Path(tempfile.mkdtemp(prefix=f"{ours}{us.pid}-{us.started}-"))
