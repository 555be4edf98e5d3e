"""Where several pods that take one backup meet: objects below ``shared/<backup id>/``, created once, never changed.

- ``plans/<number>``: the plan of an attempt. Who creates it first has made it; all others follow it.
- ``<token>/drafts/<portion>/<lock>`` and ``<token>/parts/<portion>``: what was read. A part is announced as a draft,
  the lock is checked, and only then it counts: so a sweep that took its writer for dead either is seen by that check,
  or sees the draft, and keeps its chunks. It is the order in which a manifest is committed.
- ``<token>/counts/<collection>``: how many documents the server counts.
- ``<token>/failed``: the attempt is over, and why; another one has another plan.

They are garbage once the manifest is there, or when a day has passed since the plan and nobody is at work.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.errors import DamagedBackup
from holdfast.repository.locks import Lock
from holdfast.repository.repository import MANIFESTS, Repository
from holdfast.repository.shared_plan import Part, SharedPlan, read_part, write_part

SHARED = "shared/"
AGE = timedelta(days=1)
"""No server keeps a cluster time longer for us. Without one, pods that come back after a day begin anew."""


@dataclass(frozen=True)
class Standing:
    """How far an attempt is: the portions and counts that are there, by their numbers."""

    parts: frozenset[int]
    counts: frozenset[int]
    failed: bool


class SharedWork:
    """The work on one backup. Raises StoreUnavailable and its kin."""

    def __init__(self, repository: Repository, backup_id: str) -> None:
        self._repository, self._store = repository, repository.store
        self._backup_id, self._root = backup_id, f"{SHARED}{backup_id}/"

    # --- plans ----------------------------------------------------------------------------------------------------

    def newest_plan(self) -> SharedPlan | None:
        keys = sorted(self._store.keys(f"{self._root}plans/"))
        return self._plan(keys[-1]) if keys else None

    def propose(self, plan: SharedPlan) -> SharedPlan:
        """The plan of that number: this one, unless another one was faster."""
        key = f"{self._root}plans/{plan.number:06d}"
        self._repository.put_object(key, plan.to_json())
        return self._plan(key) or plan

    def _plan(self, key: str) -> SharedPlan | None:
        data = self._repository.find_object(key)
        return None if data is None else SharedPlan.from_json(data, f"{key} in {self._store.address}")

    def fail(self, plan: SharedPlan, reason: str, message: str) -> None:
        """Have everybody leave this attempt."""
        self._repository.put_object(self._failed(plan), json.dumps({"reason": reason, "message": message}).encode())

    def failure(self, plan: SharedPlan) -> tuple[str, str] | None:
        """Why the attempt is over, as a reason and a message; None if it is not."""
        data = self._repository.find_object(self._failed(plan))
        if data is None:
            return None
        said = json.loads(data)
        return str(said["reason"]), str(said["message"])

    def has_failed(self, plan: SharedPlan) -> bool:
        return self._store.size(self._failed(plan)) is not None

    def _failed(self, plan: SharedPlan) -> str:
        return f"{self._root}{plan.token}/failed"

    # --- parts ----------------------------------------------------------------------------------------------------

    def standing(self, plan: SharedPlan) -> Standing:
        root = f"{self._root}{plan.token}/"
        found: dict[str, set[int]] = {"parts": set(), "counts": set()}
        over = False
        for key in self._store.keys(root):
            kind, _, number = key.removeprefix(root).partition("/")
            over = over or kind == "failed"
            if kind in found:
                found[kind].add(int(number))
        return Standing(frozenset(found["parts"]), frozenset(found["counts"]), over)

    def add(self, plan: SharedPlan, portion: int, part: Part, lock: Lock) -> None:
        """Say what a portion holds. RepositoryBusy if the lock was lost: its chunks may be gone, so nothing is said."""
        data = write_part(part)
        draft = f"{self._root}{plan.token}/drafts/{portion:06d}/{lock.token}"
        self._repository.put_object(draft, data)
        lock.check()
        self._repository.put_object(self._part(plan, portion), data)
        self._store.delete(draft)

    def has_part(self, plan: SharedPlan, portion: int) -> bool:
        return self._store.size(self._part(plan, portion)) is not None

    def part(self, plan: SharedPlan, portion: int) -> Part:
        """DamagedBackup if it is not there, or cannot be read."""
        key = self._part(plan, portion)
        return read_part(self._repository.read_object(key), f"{key} in {self._store.address}")

    def _part(self, plan: SharedPlan, portion: int) -> str:
        return f"{self._root}{plan.token}/parts/{portion:06d}"

    def add_count(self, plan: SharedPlan, collection: int, counted: int | str) -> None:
        """``counted``: documents, or why they cannot be counted."""
        self._repository.put_object(self._count(plan, collection), json.dumps(counted).encode())

    def count(self, plan: SharedPlan, collection: int) -> int | str:
        """What was added. DamagedBackup if there is nothing."""
        counted: int | str = json.loads(self._repository.read_object(self._count(plan, collection)))
        return counted

    def _count(self, plan: SharedPlan, collection: int) -> str:
        return f"{self._root}{plan.token}/counts/{collection:06d}"

    # --- the end --------------------------------------------------------------------------------------------------

    def committed(self) -> bool:
        return self._store.size(MANIFESTS + self._backup_id) is not None

    def forget(self) -> None:
        """Remove all of it. What stays behind goes with the next sweep."""
        self._store.delete_many(list(self._store.keys(self._root)))


def chunks_of_shared_work(repository: Repository, now: datetime) -> Iterator[bytes]:
    """Given an exclusive lock: the ids of the chunks that backups under way may still need. Removes what has served."""
    ids = {key.removeprefix(SHARED).partition("/")[0] for key in repository.store.keys(SHARED)}
    for backup_id in sorted(ids):
        work = SharedWork(repository, backup_id)
        if work.committed() or not _young(work, now):
            work.forget()
            continue
        yield from _chunks(repository, f"{SHARED}{backup_id}/")


def _young(work: SharedWork, now: datetime) -> bool:
    try:
        plan = work.newest_plan()
    except DamagedBackup:
        return False  # nobody can follow it
    return plan is not None and now - plan.created <= AGE


def _chunks(repository: Repository, root: str) -> Iterator[bytes]:
    for key in list(repository.store.keys(root)):
        if key.removeprefix(root).partition("/")[2].partition("/")[0] not in ("parts", "drafts"):
            continue
        try:
            data = repository.find_object(key)
            part = read_part(data, key) if data is not None else Part()
        except DamagedBackup:
            continue  # nobody can use it
        for segment in part.segments.values():
            yield from (chunk.ref.id for chunk in segment.chunks)
