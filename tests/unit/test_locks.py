"""Who may do what in a repository at once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest

from holdfast.errors import Interrupted, NotAuthorized, RepositoryBusy, StoreUnavailable
from holdfast.ports import Fate, Labels
from holdfast.repository import locks
from holdfast.repository.locks import AFTERMATH, LEASE, MARGIN, Lock, LockKind, kept_for_reading, locked
from holdfast.stores.memory import MemoryStore


class Oracle:
    """A witness that knows what tests tell it."""

    def __init__(self) -> None:
        self.fates: dict[str, Fate] = {}
        self.name = "first"
        self.asked: list[str] = []

    def myself(self) -> Mapping[str, str]:
        return {"pod": self.name}

    def fate(self, holder: Mapping[str, str]) -> Fate:
        self.asked.append(holder["pod"])
        return self.fates.get(holder["pod"], Fate.UNKNOWN)


class Bench:
    """A store, a witness and a clock that tests turn by hand."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.oracle = Oracle()
        self.now = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)

    def clock(self) -> datetime:
        return self.now

    def lock(self, kind: LockKind, skew: timedelta = timedelta(0)) -> Lock:
        return Lock(self.store, lambda: self.now + skew, kind, f"test {kind}", self.oracle)

    def taken(self, kind: LockKind) -> Lock:
        lock = self.lock(kind)
        lock.acquire()
        return lock


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_any_number_may_share(bench: Bench) -> None:
    for _ in range(3):
        bench.taken(LockKind.SHARED)


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (LockKind.SHARED, LockKind.EXCLUSIVE),
        (LockKind.EXCLUSIVE, LockKind.SHARED),
        (LockKind.EXCLUSIVE, LockKind.EXCLUSIVE),
    ],
)
def test_exclusive_excludes(bench: Bench, held: LockKind, wanted: LockKind) -> None:
    bench.taken(held)
    with pytest.raises(RepositoryBusy, match=f"test {held}"):
        bench.lock(wanted).acquire()


def test_a_refused_lock_leaves_nothing_behind(bench: Bench) -> None:
    bench.taken(LockKind.EXCLUSIVE)
    with pytest.raises(RepositoryBusy):
        bench.lock(LockKind.SHARED).acquire()
    assert len(bench.store.objects) == 1


def test_a_released_lock_no_longer_excludes(bench: Bench) -> None:
    bench.taken(LockKind.EXCLUSIVE).release()
    bench.taken(LockKind.EXCLUSIVE)


def test_the_lock_of_a_dead_holder_is_broken(bench: Bench) -> None:
    bench.taken(LockKind.EXCLUSIVE)
    bench.now += LEASE + MARGIN + timedelta(seconds=1)
    bench.taken(LockKind.EXCLUSIVE)
    assert len(bench.store.objects) == 1


def test_a_renewed_lock_lives_on(bench: Bench) -> None:
    lock = bench.taken(LockKind.EXCLUSIVE)
    for _ in range(10):
        bench.now += LEASE - timedelta(seconds=1)
        lock.renew()
    with pytest.raises(RepositoryBusy):
        bench.lock(LockKind.SHARED).acquire()


@pytest.mark.parametrize("minutes", [-29, 29])
def test_clocks_that_differ_by_minutes_do_no_harm(bench: Bench, minutes: int) -> None:
    bench.taken(LockKind.SHARED)
    bench.now += LEASE
    with pytest.raises(RepositoryBusy):
        bench.lock(LockKind.EXCLUSIVE, timedelta(minutes=minutes)).acquire()


def test_a_holder_that_was_taken_for_dead_notices(bench: Bench) -> None:
    lock = bench.taken(LockKind.SHARED)
    bench.now += LEASE + MARGIN + timedelta(seconds=1)
    bench.taken(LockKind.EXCLUSIVE)
    with pytest.raises(RepositoryBusy, match="lost"):
        lock.check()


def test_a_holder_whose_lease_ran_out_notices_even_if_nobody_else_did(bench: Bench) -> None:
    lock = bench.taken(LockKind.SHARED)
    bench.now += LEASE + timedelta(seconds=1)
    with pytest.raises(RepositoryBusy, match="lost"):
        lock.renew()


def test_a_stop_ends_the_wait_for_a_lock(bench: Bench) -> None:
    bench.taken(LockKind.EXCLUSIVE)
    stop = Event()
    stop.set()
    with pytest.raises(Interrupted), locked(bench.store, bench.clock, LockKind.SHARED, "backup", stop):
        pytest.fail("the lock was taken")


def test_a_lock_is_given_back_when_the_work_fails(bench: Bench) -> None:
    with pytest.raises(KeyError), locked(bench.store, bench.clock, LockKind.SHARED, "backup", Event()):
        raise KeyError
    assert bench.store.objects == {}


@pytest.mark.parametrize("fate", [Fate.GONE, Fate.ENDED])
def test_a_shared_lock_is_broken_at_once_when_its_holder_is_known_to_be_dead(bench: Bench, fate: Fate) -> None:
    backup = bench.taken(LockKind.SHARED)
    bench.oracle.fates["first"] = fate
    bench.taken(LockKind.EXCLUSIVE)
    with pytest.raises(RepositoryBusy, match="lost"):
        backup.check()


def test_a_lock_of_whom_nobody_knows_is_honoured(bench: Bench) -> None:
    bench.taken(LockKind.SHARED)
    with pytest.raises(RepositoryBusy):
        bench.lock(LockKind.EXCLUSIVE).acquire()


def test_an_exclusive_lock_of_the_dead_is_honoured_until_what_they_asked_for_has_been_done(bench: Bench) -> None:
    bench.taken(LockKind.EXCLUSIVE)
    bench.oracle.fates["first"] = Fate.ENDED
    backup = bench.lock(LockKind.SHARED)
    for pause in (timedelta(0), AFTERMATH - timedelta(seconds=1)):
        bench.now += pause
        with pytest.raises(RepositoryBusy):
            backup.acquire()
    bench.now += timedelta(seconds=1)
    backup.acquire()
    assert len(bench.store.objects) == 1


def test_an_exclusive_lock_of_one_that_may_live_on_is_honoured(bench: Bench) -> None:
    bench.taken(LockKind.EXCLUSIVE)
    bench.oracle.fates["first"] = Fate.GONE
    backup = bench.lock(LockKind.SHARED)
    for _ in range(2):
        with pytest.raises(RepositoryBusy):
            backup.acquire()
        bench.now += AFTERMATH


def test_who_shares_a_lock_with_others_asks_nobody_what_became_of_them(bench: Bench) -> None:
    bench.taken(LockKind.SHARED)
    bench.taken(LockKind.SHARED)
    assert not bench.oracle.asked


class Meddled(MemoryStore):
    """Lets somebody else ``act`` just before the next call of a method."""

    before = ""
    act: Callable[[], object] = staticmethod(lambda: None)

    def __getattribute__(self, name: str) -> Any:
        if name == super().__getattribute__("before"):
            self.before = ""
            self.act()
        return super().__getattribute__(name)


@pytest.fixture
def meddled(bench: Bench) -> Meddled:
    bench.store = store = Meddled()
    return store


def test_a_lock_that_is_renewed_while_others_look_is_not_overlooked(bench: Bench, meddled: Meddled) -> None:
    backup = bench.taken(LockKind.SHARED)
    meddled.before, meddled.act = "read", backup.renew
    with pytest.raises(RepositoryBusy, match="test shared"):
        bench.lock(LockKind.EXCLUSIVE).acquire()


def test_a_lock_that_is_broken_while_it_is_renewed_is_lost(bench: Bench, meddled: Meddled) -> None:
    backup = bench.taken(LockKind.SHARED)
    meddled.before, meddled.act = "create", meddled.objects.clear
    for step in (backup.renew, backup.check):
        with pytest.raises(RepositoryBusy, match="lost"):
            step()


def test_a_lock_that_is_renewed_while_it_is_broken_is_broken_all_the_same(bench: Bench, meddled: Meddled) -> None:
    backup = bench.taken(LockKind.SHARED)
    bench.oracle.fates["first"] = Fate.GONE
    meddled.before, meddled.act = "delete", backup.renew
    bench.taken(LockKind.EXCLUSIVE)
    with pytest.raises(RepositoryBusy, match="lost"):
        backup.check()


def test_a_lock_that_is_listed_and_cannot_be_read_is_not_looked_for_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.taken(LockKind.SHARED)
    monkeypatch.setattr(bench.store, "read", lambda _: None)
    with pytest.raises(RepositoryBusy, match="faster"):
        bench.lock(LockKind.EXCLUSIVE).acquire()


class Flaky(MemoryStore):
    """A store whose next answers get lost: a write or a removal is done all the same, or is not."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_unheard = self.removals_failed = 0

    def create(self, key: str, data: bytes, labels: Labels | None = None) -> bool:
        done = super().create(key, data, labels)
        if self.writes_unheard:
            self.writes_unheard -= 1
            raise StoreUnavailable("the answer was lost")
        return done

    def delete(self, key: str) -> None:
        if self.removals_failed:
            self.removals_failed -= 1
            raise StoreUnavailable("connection reset")
        super().delete(key)


@pytest.fixture
def flaky(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Flaky:
    bench.store = store = Flaky()
    monkeypatch.setattr(locks, "RELEASE_PAUSES", (0.0, 0.0))
    return store


def test_a_lock_whose_write_went_unheard_does_not_stay(bench: Bench, flaky: Flaky) -> None:
    flaky.writes_unheard = 1
    with pytest.raises(StoreUnavailable), locked(flaky, bench.clock, LockKind.SHARED, "backup", Event()):
        pass
    assert flaky.objects == {}


def test_a_renewal_that_went_unheard_does_not_stay(bench: Bench, flaky: Flaky) -> None:
    with locked(flaky, bench.clock, LockKind.SHARED, "backup", Event()) as lock:
        flaky.writes_unheard = 1
        with pytest.raises(StoreUnavailable):
            lock.renew()
    assert flaky.objects == {}


def test_a_renewal_takes_away_what_an_earlier_one_left(bench: Bench, flaky: Flaky) -> None:
    lock = bench.taken(LockKind.SHARED)
    flaky.removals_failed = 1
    with pytest.raises(StoreUnavailable):
        lock.renew()
    lock.renew()
    assert len(flaky.objects) == 1


def test_a_store_that_is_away_at_the_end_gets_its_lock_removed_when_it_is_back(bench: Bench, flaky: Flaky) -> None:
    with locked(flaky, bench.clock, LockKind.SHARED, "backup", Event()):
        flaky.removals_failed = 2
    assert flaky.objects == {}


def test_a_store_that_stays_away_at_the_end_spoils_nothing(bench: Bench, flaky: Flaky) -> None:
    with locked(flaky, bench.clock, LockKind.SHARED, "backup", Event()):
        flaky.removals_failed = 100
    assert len(flaky.objects) == 1


def test_who_may_only_read_is_warned_and_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise NotAuthorized("read only")

    monkeypatch.setattr(bench.store, "create", refuse)
    warnings: list[str] = []
    with kept_for_reading(bench.store, bench.clock, "restore", Event(), warnings.append):
        pass
    assert len(warnings) == 1


def test_what_is_read_is_kept_from_a_sweep(bench: Bench) -> None:
    with kept_for_reading(bench.store, bench.clock, "restore", Event(), pytest.fail), pytest.raises(RepositoryBusy):
        bench.lock(LockKind.EXCLUSIVE).acquire()
