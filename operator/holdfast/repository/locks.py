"""Who may do what in a repository at once: any number of readers and backups, or one sweep of the garbage.

A lock is an object with a lease; its holder renews it by writing the next one. A holder that died is recognised by a
lease that ran out, plus a margin wider than clocks drift apart. Everyone writes a lock first and looks for others
after: of two who do it at once, each sees the other, and at least one gives way.
"""

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from os import getpid
from random import uniform
from secrets import token_hex
from threading import Event, RLock, Thread

from holdfast.errors import HoldfastError, Interrupted, NotAuthorized, RepositoryBusy, Unavailable
from holdfast.ports import Clock, Store

LEASE = timedelta(minutes=30)
RENEWAL = timedelta(minutes=5)
MARGIN = timedelta(minutes=30)
"""How long after its end a lease is still honoured: clocks that differ by less do no harm."""
PATIENCE = timedelta(minutes=10)
RELEASE_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries to give a lock back after good work. One that stays keeps every prune waiting for its lease."""

_LOCKS = "locks/"


class LockKind(StrEnum):
    SHARED = "shared"
    EXCLUSIVE = "exclusive"


@dataclass(frozen=True)
class _Held:
    key: str
    kind: LockKind
    token: str
    holder: str
    purpose: str
    expires: datetime

    def dead(self, now: datetime) -> bool:
        return now > self.expires + MARGIN


class Lock:
    """One lock on a repository: ``acquire`` before, ``renew`` meanwhile, ``release`` after. Thread-safe."""

    def __init__(self, store: Store, clock: Clock, kind: LockKind, purpose: str) -> None:
        self._store, self._clock, self._kind, self._purpose = store, clock, kind, purpose
        self.token = token_hex(8)
        self._changing = RLock()
        self._sequence = 0
        self._key: str | None = None
        self._written: list[str] = []
        """All that may be in the store: whether a write that failed went through is not known."""
        self._expires: datetime | None = None

    def acquire(self) -> None:
        """Take the lock, or raise RepositoryBusy with the name of its holder. Breaks the locks of the dead."""
        try:
            self._acquire()
        except HoldfastError:
            with suppress(HoldfastError):
                self.release()
            raise

    def _acquire(self) -> None:
        self._write()
        now = self._clock()
        for other in self._others():
            if other.dead(now):
                self._store.delete(other.key)
            elif LockKind.EXCLUSIVE in (self._kind, other.kind):
                raise RepositoryBusy(
                    f"The repository in {self._store.address} is locked: {other.purpose} by {other.holder}, "
                    f"until {other.expires:%H:%M} UTC if it does not renew.",
                    hint="Wait until it has ended; the lock of one that died expires by itself.",
                )

    def renew(self) -> None:
        """Extend the lease. RepositoryBusy if somebody took us for dead: what we do is then no longer protected."""
        with self._changing:
            self.check()
            self._write()
            self._remove(but=self._key)

    def check(self) -> None:
        """RepositoryBusy unless the lease runs and the lock is still in the store."""
        with self._changing:
            self.check_lease()
            if self._key is None or self._store.size(self._key) is None:
                raise self._lost()

    def check_lease(self) -> None:
        """RepositoryBusy unless the lease runs, by the clock alone: for use before each of many steps."""
        if self._expires is None or self._clock() > self._expires:
            raise self._lost()

    def release(self) -> None:
        """Give the lock back. Harmless if it is not held."""
        with self._changing:
            self._key = self._expires = None
            self._remove()

    def _remove(self, but: str | None = None) -> None:
        for key in [key for key in self._written if key != but]:
            self._store.delete(key)
            self._written.remove(key)

    def _lost(self) -> RepositoryBusy:
        return RepositoryBusy(
            f"Our lock on the repository in {self._store.address} was lost: this process was held up too long.",
            hint="It is safe to start again.",
        )

    def _write(self) -> None:
        self._sequence += 1
        key = f"{_LOCKS}{self._kind}/{self.token}/{self._sequence:06d}"
        now = self._clock()
        content = {
            "holder": f"{socket.gethostname()}/{getpid()}",
            "purpose": self._purpose,
            "created": now.isoformat(),
            "expires": (now + LEASE).isoformat(),
        }
        self._written.append(key)
        self._store.create(key, json.dumps(content).encode())
        self._key, self._expires = key, now + LEASE

    def _others(self) -> Iterator[_Held]:
        for key in list(self._store.keys(_LOCKS)):
            _, kind, token, _ = key.split("/", 3)
            if token == self.token:
                continue
            data = self._store.read(key)
            if data is None:
                continue  # released a moment ago
            content = json.loads(data)
            yield _Held(
                key=key,
                kind=LockKind(kind),
                token=token,
                holder=str(content["holder"]),
                purpose=str(content["purpose"]),
                expires=datetime.fromisoformat(content["expires"]),
            )


@contextmanager
def locked(
    store: Store, clock: Clock, kind: LockKind, purpose: str, stop: Event, *, patience: timedelta | None = None
) -> Iterator[Lock]:
    """Hold a lock and keep it renewed; wait for a busy repository up to ``patience``. RepositoryBusy, Interrupted."""
    lock = Lock(store, clock, kind, purpose)
    deadline = clock() + (PATIENCE if patience is None else patience)
    while True:
        try:
            lock.acquire()
            break
        except RepositoryBusy:
            if clock() > deadline:
                raise
            if stop.wait(uniform(0.5, 5)):  # noqa: S311 (jitter, so that two who met do not meet again)
                raise Interrupted("Stopped while waiting for a lock on the repository.") from None
    ended = Event()
    keeper = Thread(target=_keep, args=(lock, ended), name="lock", daemon=True)
    keeper.start()
    pauses: Sequence[float] = ()
    try:
        yield lock
        pauses = RELEASE_PAUSES
    finally:
        ended.set()
        keeper.join()
        _give_back(lock, stop, pauses)


def _give_back(lock: Lock, stop: Event, pauses: Sequence[float]) -> None:
    """Where the store stays away, the lease ends the lock; what was done under it stays done."""
    for pause in (*pauses, None):
        try:
            lock.release()
        except Unavailable:
            if pause is None or stop.wait(pause):
                return
        except HoldfastError:
            return
        else:
            return


@contextmanager
def kept_for_reading(
    store: Store, clock: Clock, purpose: str, stop: Event, warn: Callable[[str], None]
) -> Iterator[None]:
    """Keep a repository's chunks while they are read. Where the user may only read, go on without, and ``warn``."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(store, clock, LockKind.SHARED, purpose, stop))
        except NotAuthorized:
            warn("The repository cannot be locked by this user; a prune at the same time may remove what is read.")
        yield


def _keep(lock: Lock, ended: Event) -> None:
    while not ended.wait(RENEWAL.total_seconds()):
        try:
            lock.renew()
        except RepositoryBusy:
            return  # the holder finds out when it checks, before it commits
        except HoldfastError:
            continue  # an outage: five more renewals fit into the lease
