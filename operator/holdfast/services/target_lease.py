"""One restore at a time in one target, by a note that its holder renews.

A holder is dead when its note has not changed for LEASE_SECONDS of the looker's own time: no two clocks are compared.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import getpid
from secrets import token_hex
from threading import Event, Lock, Thread
from time import monotonic

from holdfast.errors import HoldfastError, Interrupted, TargetBusy
from holdfast.ports import Target

LEASE_SECONDS = 60.0
RENEWAL_SECONDS = 10.0
_LOOK_SECONDS = 1.0
LEASE = "lease"
"""The key of the note."""


class Lease:
    """The right to write to a target. Thread-safe."""

    def __init__(self, target: Target, note: dict[str, str]) -> None:
        self._target, self._note = target, note
        self._lock = Lock()
        self._renewed = monotonic()
        self._lost = False

    def check(self) -> None:
        """TargetBusy if the lease may be another's by now. Costs nothing: for use before each of many steps."""
        if self._lost or monotonic() > self._renewed + LEASE_SECONDS:
            raise TargetBusy(
                f"Another restore into {self._target.database!r} took over: this one was held up too long.",
                hint="Run it again when the other has ended.",
            )

    def renew(self) -> None:
        with self._lock:
            now = monotonic()
            after = self._note | {"beat": token_hex(8)}
            if self._target.replace_note(LEASE, self._note, after):
                self._note, self._renewed = after, now
            else:
                self._lost = True
        self.check()

    def keep(self, ended: Event) -> None:
        while not ended.wait(RENEWAL_SECONDS):
            with suppress(HoldfastError):  # an outage: the next time, or it is found out by ``check``
                self.renew()

    def release(self) -> None:
        """Give it back. The place where notes are kept goes too, unless somebody's notes are in it."""
        self.renew()
        if set(self._target.notes()) == {LEASE}:
            self._target.drop_notes()
        else:
            self._target.delete_note(LEASE)


@contextmanager
def leased(target: Target, purpose: str, stop: Event, *, restore: str = "") -> Iterator[Lease]:
    """Hold the target's lease, and renew it. TargetBusy where another restore is alive; a dead one is waited out.

    ``restore``: what the restore is known by, so that others who work on the same one see whose it is."""
    lease = Lease(target, _acquire(target, purpose, restore, stop))
    ended = Event()
    keeper = Thread(target=lease.keep, args=(ended,), name="lease", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        ended.set()
        keeper.join()
        with suppress(HoldfastError):  # it ends by itself; what was done under it stays done
            lease.release()


def _acquire(target: Target, purpose: str, restore: str, stop: Event) -> dict[str, str]:
    holder = f"{socket.gethostname()}/{getpid()}"
    note = {"holder": holder, "purpose": purpose, "restore": restore, "beat": token_hex(8)}
    seen: dict[str, str] | None = None
    since = monotonic()
    while not target.replace_note(LEASE, None, note):
        current = target.note(LEASE)
        if current is None:
            continue  # given back a moment ago
        if seen is None:
            seen, since = current, monotonic()
        elif current != seen:
            raise TargetBusy(
                f"Another restore is at work on database {target.database!r}: {current['purpose']}, by "
                f"{current['holder']}.",
                hint="Wait until it has ended.",
            )
        elif monotonic() > since + LEASE_SECONDS and target.replace_note(LEASE, seen, note):
            break
        if stop.wait(_LOOK_SECONDS):
            raise Interrupted("Asked to stop while waiting for another restore into the same database.")
    return note
