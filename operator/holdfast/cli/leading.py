"""One operator of several works; the others stand by."""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import NoReturn

from holdfast.handlers.standby import answering
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.services.fence import LeaseFence
from holdfast.services.lead import Candidate, Place, keep_leading, stand_by
from holdfast.settings import OperatorSettings
from holdfast.wiring.opening import now

SILENT_SECONDS = 60
"""A candidate that has not even tried to read the Lease for so long is stuck. Each try is bounded in time."""

ticks = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds by a clock that goes on while the process, or the whole machine, sleeps."""


def lead(settings: OperatorSettings, fence: LeaseFence, work: Callable[[Event], None]) -> None:
    """Stand by until we hold the Lease, then ``work`` until that returns, and give the Lease back.

    ``work`` gets an event that says it was asked to stop before it could listen for that itself.
    """
    stop, done = Event(), Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # A connection of its own, which no fence bars, and which fails well before the Lease runs out.
    cluster = KubeCluster(Connection.from_environment(connect_seconds=2, read_seconds=3))
    place = Place(settings.namespace, settings.lease, settings.identity)
    candidate = Candidate(cluster, place, ticks, now)
    with answering(settings.liveness_port, lambda: candidate.silence() < SILENT_SECONDS):
        if not stand_by(candidate, fence, stop):
            return
    keeper = Thread(target=_keep, args=(candidate, fence, done), daemon=True, name="lease")
    keeper.start()
    try:
        work(stop)
    finally:
        done.set()
        keeper.join()


def _keep(candidate: Candidate, fence: LeaseFence, done: Event) -> None:
    kept = False
    try:
        kept = keep_leading(candidate, fence, done)
    finally:
        if not kept:
            _start_anew()


def _start_anew() -> NoReturn:
    """Become a new process that stands by: all that was under way and all that was known ends here and now."""
    try:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
    finally:
        os._exit(75)
