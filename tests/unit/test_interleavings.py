"""Backups, sweeps, crashes and long freezes, one store operation at a time, in any order.

Each actor is a thread that pauses after every operation on the store; hypothesis chooses who goes on, who dies, whose
last request arrives only after its death, of whom it is said that they are gone while they are not, and how far the
clock moves. After each step, every committed backup must have all of its chunks, and they must hold its data.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from threading import Semaphore, Thread, current_thread
from types import SimpleNamespace
from typing import Any

import pytest
from bson import encode
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.errors import HoldfastError, RepositoryBusy
from holdfast.ports import Fate
from holdfast.repository.chunker import Chunker
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.garbage import sweep
from holdfast.repository.locks import AFTERMATH, LEASE, MARGIN, Lock, LockKind
from holdfast.repository.manifest import CollectionRecord, ConsistencyRecord, Manifest, ServerRecord
from holdfast.repository.repository import MANIFESTS, Repository
from holdfast.repository.segment_writer import SegmentWriter
from holdfast.repository.shared_plan import Part, PlannedCollection, ReadSegment, SharedPlan
from holdfast.repository.shared_work import SHARED, SharedWork
from holdfast.services.backup_request import BackupRequest
from holdfast.services.finish_together import finish
from holdfast.services.plan_together import Layout
from holdfast.services.verify import verify
from holdfast.stores.memory import MemoryStore

STATES = [[encode({"_id": n, "v": version}) for n in range(12) if (n + version) % 4] for version in range(4)]


class Crash(BaseException):
    """The process dies here."""


SILENT: Any = SimpleNamespace(phase=lambda *_: None, advance=lambda *_: None, warn=lambda *_: None)


class Inline(Executor):
    """Runs at once, in the caller's thread, so that an actor is one line of steps."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except HoldfastError as error:
            future.set_exception(error)
        return future


class Actor:
    """A process. It runs from one pause to the next when ``step`` is called."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._go, self._paused = Semaphore(0), Semaphore(0)
        self._dying = False
        self.late: list[Callable[[], object]] | None = None
        """Where the next request goes instead of being done, of one that dies before it is."""
        self.said_to_be_gone = False
        self.done = False
        self.thread = Thread(target=self._run, args=(work,), daemon=True)
        self.thread.actor = self  # type: ignore[attr-defined]
        self.thread.start()

    def _run(self, work: Callable[[], object]) -> None:
        self._go.acquire()
        try:
            if not self._dying:
                work()
        except (HoldfastError, Crash):
            pass
        finally:
            self.done = True
            self._paused.release()

    def pause(self) -> None:
        self._paused.release()
        self._go.acquire()
        if self._dying:
            raise Crash

    def step(self) -> None:
        if not self.done:
            self._go.release()
            self._paused.acquire()

    def crash(self) -> None:
        self._dying = True
        self.step()
        self.thread.join()

    def crash_in_a_request(self, late: list[Callable[[], object]]) -> None:
        self.late = late
        self.step()
        self.crash()


class SteppedStore(MemoryStore):
    """Pauses the actor that calls it after each operation."""

    def __getattribute__(self, name: str) -> Any:
        attribute = super().__getattribute__(name)
        if name not in {"create", "read", "size", "keys", "delete"}:
            return attribute

        def stepped(*args: Any) -> Any:
            actor = getattr(current_thread(), "actor", None)
            if actor and actor.late is not None and name in {"create", "delete"}:
                actor.late.append(lambda: attribute(*args))
                raise Crash
            result = attribute(*args)
            if actor:
                actor.pause()
            return result

        return stepped


class Kubernetes:
    """The witness of all: each actor is its own pod."""

    def __init__(self, running: list[Actor]) -> None:
        self._running = running

    def myself(self) -> Mapping[str, str]:
        actor = getattr(current_thread(), "actor", None)
        return {"actor": str(self._running.index(actor))} if actor else {}

    def fate(self, holder: Mapping[str, str]) -> Fate:
        actor = self._running[int(holder["actor"])]
        if actor.done:
            return Fate.ENDED
        return Fate.GONE if actor.said_to_be_gone else Fate.UNKNOWN


class Interleavings(RuleBasedStateMachine):
    actors = Bundle("actors")

    def __init__(self) -> None:
        super().__init__()
        self.store = SteppedStore()
        self.now = datetime(2026, 11, 23, tzinfo=UTC)
        self.backups = 0
        self.running: list[Actor] = []
        self.witness = Kubernetes(self.running)
        self.late: list[Callable[[], object]] = []
        """Requests of the dead that are still under way."""
        self.repository().open(create=True)

    def repository(self) -> Repository:
        repository = Repository(self.store)
        if self.store.objects:
            repository.open()
        return repository

    def start(self, work: Callable[[], object]) -> Actor:
        actor = Actor(work)
        self.running.append(actor)
        return actor

    def to_the_end(self, actor: Actor) -> None:
        while not actor.done:
            actor.step()

    @rule(target=actors, version=st.sampled_from(range(len(STATES))))
    def backup(self, version: int) -> Actor:
        self.backups += 1
        backup_id = f"2026-{self.backups:04d}"
        return self.start(lambda: self.back_up(backup_id, version))

    @rule(target=actors, version=st.sampled_from(range(len(STATES))), backup=st.integers(1, 3))
    def pod_of_a_shared_backup(self, version: int, backup: int) -> Actor:
        return self.start(lambda: self.share(f"2026-shared-{backup}", version))

    @rule(target=actors, forget=st.integers(0, 2))
    def prune(self, forget: int) -> Actor:
        return self.start(lambda: self.sweep(forget))

    @rule(actor=actors, steps=st.sampled_from([1, 2, 5, 20, 500]))
    def go_on(self, actor: Actor, steps: int) -> None:
        for _ in range(steps):
            actor.step()

    @rule(chosen=st.data())
    def all_others_run_to_their_end_after_a_long_time(self, chosen: st.DataObject) -> None:
        living = [actor for actor in self.running if not actor.done]
        frozen = chosen.draw(st.sampled_from(living)) if living else None
        self.time_passes(90)
        for actor in living:
            while actor is not frozen and not actor.done:
                actor.step()

    @rule(target=actors, actor=consumes(actors))
    def crash(self, actor: Actor) -> object:
        actor.crash()
        return multiple()

    @rule(target=actors, actor=consumes(actors))
    def crash_in_a_request(self, actor: Actor) -> object:
        actor.crash_in_a_request(self.late)
        return multiple()

    @rule(actor=actors)
    def its_pod_is_removed_by_force(self, actor: Actor) -> None:
        actor.said_to_be_gone = True

    @rule()
    def late_requests_arrive(self) -> None:
        while self.late:
            self.late.pop(0)()

    @rule(seconds=st.sampled_from([5, 50]))
    def a_moment_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(minutes=st.sampled_from([1, 40, 90, 1500]))
    def time_passes(self, minutes: int) -> None:
        self.late_requests_arrive()
        self.now += timedelta(minutes=minutes)

    @invariant()
    def every_committed_backup_can_be_restored(self) -> None:
        repository = self.repository()
        for manifest in repository.manifests(lambda damage: pytest.fail(str(damage))):
            assert verify(repository, manifest, read_data=True).problems == ()

    def teardown(self) -> None:
        for actor in self.running:
            if not actor.done:
                actor.crash()

    def lock_of(self, kind: LockKind) -> Lock:
        return Lock(self.store, lambda: self.now, kind, f"{kind}", self.witness)

    def locked(self, kind: LockKind) -> Lock:
        """Whoever is refused tries again when others have moved on."""
        lock = self.lock_of(kind)
        for _ in range(3):
            with suppress(RepositoryBusy):
                lock.acquire()
                return lock
        raise RepositoryBusy("at last")

    def back_up(self, backup_id: str, version: int) -> None:
        repository = self.repository()
        lock = self.locked(LockKind.SHARED)
        known = {
            ref.id: ref
            for manifest in list(repository.manifests(lambda damage: pytest.fail(str(damage))))[:1]
            for collection in manifest.collections
            for ref in repository.chunk_refs(collection)
        }
        chunker = Chunker(minimum=60, maximum=120, spacing=60)
        segment = SegmentWriter(repository, Inline(), namespace="db.c", known=known, chunker=chunker)
        segment.add(STATES[version])
        writer = CollectionWriter(repository, namespace="db.c", counted=set())
        writer.take(segment.finish())
        written = writer.finish()
        record = CollectionRecord(
            name="c",
            type="collection",
            documents=written.documents,
            logical_bytes=written.logical_bytes,
            document_hash=f"{written.document_hash:064x}",
            chunk_lists=tuple(i.hex() for i in written.chunk_lists),
        )
        manifest = Manifest(
            holdfast_version="0",
            backup_id=backup_id,
            database="db",
            server=ServerRecord(version="6.0.5", topology="standalone"),
            start_time=self.now,
            completion_time=self.now,
            consistency=ConsistencyRecord(level=ConsistencyLevel.NONE),
            documents=0,
            logical_bytes=0,
            stored_bytes=0,
            new_bytes=0,
            collections=(record,),
        )
        lock.renew()
        repository.commit(manifest, lock)
        lock.release()

    def share(self, backup_id: str, version: int) -> None:
        """What one of several pods does, whoever the others are: what is missing, and perhaps the end."""
        repository = self.repository()
        lock = self.locked(LockKind.SHARED)
        work = SharedWork(repository, backup_id)
        plan = work.newest_plan() or work.propose(self.plan(backup_id, version))
        states = STATES[int(plan.server.version)]
        for number, keys in enumerate(plan.collections[0].ranges):
            if work.committed():
                break
            if not work.has_part(plan, number):
                chunker = Chunker(minimum=60, maximum=120, spacing=60)
                segment = SegmentWriter(repository, Inline(), namespace="db.c", known={}, chunker=chunker)
                segment.add(states[:4] if keys.lower is None else states[4:])
                part = Part({number: ReadSegment(keys, segment.finish())})
                work.add(plan, number, part, lock)
        if not work.committed():
            request = BackupRequest(backup_id, None, (), (), Consistency.NONE, self.now)
            source: Any = SimpleNamespace(catalogue=lambda: [collection.info for collection in plan.collections])
            layout = Layout((0, 0), (1, 1), (1, 1), (range(1), range(1, 2)), {})
            finish(request, plan, layout, work, lock, source, repository, SILENT, lambda: self.now)
        lock.release()

    def plan(self, backup_id: str, version: int) -> SharedPlan:
        return SharedPlan(
            number=1,
            token=token_hex(8),
            backup_id=backup_id,
            created=self.now,
            database="db",
            server=ServerRecord(version=str(version), topology="standalone"),
            collections=(
                PlannedCollection(
                    record=CollectionRecord(name="c", type="collection"), segments=2, starts=(STATES[version][4],)
                ),
            ),
        )

    def sweep(self, forget: int) -> None:
        repository = self.repository()
        lock = self.locked(LockKind.EXCLUSIVE)
        for backup_id in repository.backup_ids()[: -1 - forget : -1]:
            lock.check_lease()
            self.store.delete(MANIFESTS + backup_id)
        sweep(repository, lock, self.now)
        lock.release()


Interleavings.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestInterleavings = Interleavings.TestCase


def steps_of_a_whole_backup() -> int:
    bench = Interleavings()
    actor = bench.start(lambda: bench.back_up("whole", 1))
    steps = 0
    while not actor.done:
        actor.step()
        steps += 1
    return steps


def lease_ends(bench: Interleavings, _: Actor) -> None:
    bench.now += LEASE + MARGIN + timedelta(minutes=1)


def pod_is_removed(_: Interleavings, actor: Actor) -> None:
    actor.said_to_be_gone = True


taken_for_dead = pytest.mark.parametrize("is_taken_for_dead", [lease_ends, pod_is_removed])
at_any_point = pytest.mark.parametrize("frozen_after", range(1, steps_of_a_whole_backup()))


@taken_for_dead
@at_any_point
def test_a_backup_that_is_taken_for_dead_at_any_point_commits_whole_or_not_at_all(
    frozen_after: int, is_taken_for_dead: Callable[[Interleavings, Actor], None]
) -> None:
    bench = Interleavings()
    backup = bench.start(lambda: bench.back_up("frozen", 1))
    for _ in range(frozen_after):
        backup.step()
    is_taken_for_dead(bench, backup)
    sweeper = bench.start(lambda: bench.sweep(0))
    while not sweeper.done:
        sweeper.step()
    while not backup.done:
        backup.step()
    bench.every_committed_backup_can_be_restored()


@taken_for_dead
@at_any_point
def test_a_backup_overtaken_by_a_sweep_at_any_of_its_points_commits_whole_or_not_at_all(
    frozen_after: int, is_taken_for_dead: Callable[[Interleavings, Actor], None]
) -> None:
    sweeper_steps = 0
    while True:
        bench = Interleavings()
        backup = bench.start(lambda: bench.back_up("frozen", 1))  # noqa: B023 (called in this turn only)
        for _ in range(frozen_after):
            backup.step()
        is_taken_for_dead(bench, backup)
        sweeper = bench.start(lambda: bench.sweep(0))  # noqa: B023
        for _ in range(sweeper_steps):
            sweeper.step()
        overtaken = sweeper.done
        while not (backup.done and sweeper.done):
            backup.step()
            sweeper.step()
        bench.every_committed_backup_can_be_restored()
        if overtaken:
            return
        sweeper_steps += 1


def test_a_sweep_that_is_killed_at_any_point_harms_no_later_backup_and_is_not_waited_for_long() -> None:
    steps = 0
    while True:
        bench = Interleavings()
        bench.to_the_end(bench.start(lambda: bench.back_up("first", 1)))  # noqa: B023 (called in this turn only)
        sweeper = bench.start(lambda: bench.sweep(1))  # noqa: B023
        for _ in range(steps):
            sweeper.step()
        if sweeper.done:
            return
        sweeper.crash_in_a_request(bench.late)
        bench.to_the_end(bench.start(lambda: bench.back_up("second", 1)))  # noqa: B023
        bench.late_requests_arrive()
        bench.every_committed_backup_can_be_restored()
        # The clock was not moved yet: now nothing is under way any more, and the lock is in nobody's way.
        patient = bench.lock_of(LockKind.SHARED)
        with suppress(RepositoryBusy):
            patient.acquire()
        bench.now += AFTERMATH
        patient.acquire()
        steps += 1


def test_a_sweep_that_is_frozen_at_any_point_removes_nothing_that_was_backed_up_meanwhile() -> None:
    steps = 0
    while True:
        bench = Interleavings()
        bench.to_the_end(bench.start(lambda: bench.back_up("first", 1)))  # noqa: B023 (called in this turn only)
        sweeper = bench.start(lambda: bench.sweep(1))  # noqa: B023
        for _ in range(steps):
            sweeper.step()
        if sweeper.done:
            return
        bench.now += LEASE + MARGIN + timedelta(minutes=1)
        bench.to_the_end(bench.start(lambda: bench.back_up("second", 1)))  # noqa: B023
        bench.to_the_end(sweeper)
        bench.every_committed_backup_can_be_restored()
        steps += 1


@at_any_point
def test_a_backup_that_is_killed_at_any_point_keeps_no_sweep_waiting(frozen_after: int) -> None:
    bench = Interleavings()
    backup = bench.start(lambda: bench.back_up("killed", 1))
    for _ in range(frozen_after):
        backup.step()
    backup.crash_in_a_request(bench.late)
    bench.lock_of(LockKind.EXCLUSIVE).acquire()
    bench.late_requests_arrive()
    bench.every_committed_backup_can_be_restored()


def steps_of_a_whole_share() -> int:
    bench = Interleavings()
    actor = bench.start(lambda: bench.share("whole", 1))
    steps = 0
    while not actor.done:
        actor.step()
        steps += 1
    return steps


@pytest.mark.parametrize("wakes", ["before the others come", "after them"])
@pytest.mark.parametrize("pause", [LEASE + MARGIN + timedelta(minutes=1), timedelta(days=2)], ids=["hours", "days"])
@pytest.mark.parametrize("frozen_after", range(1, steps_of_a_whole_share()))
def test_a_pod_that_is_taken_for_dead_at_any_point_does_no_harm_to_the_others(
    frozen_after: int, pause: timedelta, wakes: str
) -> None:
    bench = Interleavings()
    frozen = bench.start(lambda: bench.share("shared", 1))
    for _ in range(frozen_after):
        frozen.step()
    bench.now += pause
    bench.to_the_end(bench.start(lambda: bench.sweep(0)))
    actors = [frozen, bench.start(lambda: bench.share("shared", 2))]
    for actor in actors if wakes.startswith("before") else reversed(actors):
        bench.to_the_end(actor)
        bench.every_committed_backup_can_be_restored()
    assert bench.repository().backup_ids() == ["shared"]


def test_what_pods_left_behind_goes_with_a_sweep_once_their_backup_is_there() -> None:
    bench = Interleavings()
    bench.to_the_end(bench.start(lambda: bench.share("shared", 1)))
    bench.store.create(f"{SHARED}shared/token/parts/000000", b"late")
    bench.to_the_end(bench.start(lambda: bench.sweep(0)))
    assert list(bench.store.keys(SHARED)) == []
