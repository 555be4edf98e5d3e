"""Who may do what in a repository at once: any number of readers and backups, or one sweep of the garbage.

A lock is an object with a lease; its holder renews it by writing the next one. A holder that died is recognised by a
lease that ran out, plus a margin wider than clocks drift apart; or, at once, by a witness that knows what became of it.
Everyone writes a lock first and looks for others after: of two who do it at once, each sees the other, and at least one
gives way.

A shared lock may be broken while its holder lives: a backup that was taken for dead does not commit (``garbage``). An
exclusive one must not, for a sweep would go on to delete. So what a witness says of it must be certain, and what its
holder had asked of the store before it died must have come to its end.
"""

import json
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from os import getpid
from random import uniform
from secrets import token_hex
from threading import Event, RLock, Thread

from holdfast.errors import HoldfastError, Interrupted, NotAuthorized, RepositoryBusy, Unavailable
from holdfast.ports import Clock, Fate, Store, Witness

LEASE = timedelta(minutes=30)
RENEWAL = timedelta(minutes=5)
MARGIN = timedelta(minutes=30)
"""How long after its end a lease is still honoured: clocks that differ by less do no harm."""
AFTERMATH = timedelta(minutes=1)
"""How long after we saw that its holder has ended an exclusive lock is still honoured: longer than a store takes to
carry out, or to forget, a delete request of somebody who is not there any more."""
LOOKS = 20
PATIENCE = timedelta(minutes=10)
RELEASE_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between tries to give a lock back after good work. One that stays keeps every prune waiting for its lease."""

_LOCKS = "locks/"


class LockKind(StrEnum):
    SHARED = "shared"
    EXCLUSIVE = "exclusive"


class _Nobody:
    """Knows of nobody: every lock is honoured until its lease has run out."""

    def myself(self) -> Mapping[str, str]:
        return {}

    def fate(self, _: Mapping[str, str]) -> Fate:
        return Fate.UNKNOWN


NOBODY: Witness = _Nobody()


@dataclass(frozen=True)
class _Held:
    kind: LockKind
    token: str
    holder: str
    purpose: str
    witness: Mapping[str, str]
    expires: datetime

    def dead(self, now: datetime) -> bool:
        return now > self.expires + MARGIN


class Lock:
    """One lock on a repository: ``acquire`` before, ``renew`` meanwhile, ``release`` after. Thread-safe."""

    def __init__(self, store: Store, clock: Clock, kind: LockKind, purpose: str, witness: Witness = NOBODY) -> None:
        self._store, self._clock, self._kind, self._purpose = store, clock, kind, purpose
        self._witness = witness
        self._ended: dict[str, datetime] = {}
        """Since when we know of holders that they have ended, by their tokens."""
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
        for _ in range(LOOKS):
            if not self._look_around():
                return
        raise RepositoryBusy(
            f"The locks in {self._store.address} change faster than they can be read.", hint="Try again in a minute."
        )

    def _look_around(self) -> bool:
        """Remove the locks of the dead. RepositoryBusy if one of the living is in the way.

        Whether to look again: a lock that is gone, also by our own hand, may have been renewed at that moment."""
        again = False
        for keys in self._others():
            other = self._read(keys[-1])
            if other is None:
                again = True
            elif self._is_dead(other):
                for key in keys:
                    self._store.delete(key)
                again = True
            elif self._excludes(other):
                raise RepositoryBusy(
                    f"The repository in {self._store.address} is locked: {other.purpose} by {other.holder}, "
                    f"until {other.expires:%H:%M} UTC if it does not renew.",
                    hint="Wait until it has ended; the lock of one that died expires by itself.",
                )
        return again

    def _excludes(self, other: _Held) -> bool:
        return LockKind.EXCLUSIVE in (self._kind, other.kind)

    def _is_dead(self, other: _Held) -> bool:
        now = self._clock()
        if other.dead(now):
            return True
        if not (other.witness and self._excludes(other)):
            return False
        fate = self._witness.fate(other.witness)
        if other.kind is LockKind.SHARED:
            return fate in (Fate.GONE, Fate.ENDED)
        return fate is Fate.ENDED and now - self._ended.setdefault(other.token, now) >= AFTERMATH

    def renew(self) -> None:
        """Extend the lease. RepositoryBusy if somebody took us for dead: what we do is then no longer protected."""
        with self._changing:
            self.check()
            before = self._key
            self._write()
            # Who breaks a lock looks for a newer one afterwards. So either that finds this one, or we find it broken.
            if before is None or self._store.size(before) is None:
                self._key = self._expires = None
                raise self._lost()
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
            "witness": dict(self._witness.myself()),
            "created": now.isoformat(),
            "expires": (now + LEASE).isoformat(),
        }
        self._written.append(key)
        self._store.create(key, json.dumps(content).encode())
        self._key, self._expires = key, now + LEASE

    def _others(self) -> Sequence[Sequence[str]]:
        """The keys of every other holder, its newest last."""
        found: dict[str, list[str]] = {}
        for key in sorted(self._store.keys(_LOCKS)):
            token = key.split("/", 3)[2]
            if token != self.token:
                found.setdefault(token, []).append(key)
        return list(found.values())

    def _read(self, key: str) -> _Held | None:
        data = self._store.read(key)
        if data is None:
            return None
        content = json.loads(data)
        _, kind, token, _ = key.split("/", 3)
        return _Held(
            kind=LockKind(kind),
            token=token,
            holder=str(content["holder"]),
            purpose=str(content["purpose"]),
            witness=content.get("witness") or {},
            expires=datetime.fromisoformat(content["expires"]),
        )


@contextmanager
def locked(
    store: Store,
    clock: Clock,
    kind: LockKind,
    purpose: str,
    stop: Event,
    *,
    patience: timedelta | None = None,
    witness: Witness = NOBODY,
) -> Iterator[Lock]:
    """Hold a lock and keep it renewed; wait for a busy repository up to ``patience``. RepositoryBusy, Interrupted."""
    lock = Lock(store, clock, kind, purpose, witness)
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
    store: Store,
    clock: Clock,
    purpose: str,
    stop: Event,
    warn: Callable[[str], None],
    witness: Witness = NOBODY,
    *,
    patience: timedelta | None = None,
) -> Iterator[None]:
    """Keep a repository's chunks while they are read. Where the user may only read, go on without, and ``warn``."""
    with ExitStack() as stack:
        try:
            lock = locked(store, clock, LockKind.SHARED, purpose, stop, patience=patience, witness=witness)
            stack.enter_context(lock)
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
