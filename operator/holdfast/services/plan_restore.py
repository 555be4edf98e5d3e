"""What a restore would do, to the last collection, before anything is changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from holdfast.domain.restoring import Existing, Strategy, choose_strategy, is_own, way_of
from holdfast.domain.selection import BACKUP_COLLECTIONS, matches
from holdfast.errors import BackupNotFound, InvalidSpec
from holdfast.ports import CollectionInfo, Target
from holdfast.repository.documents import elements, text_field, with_text_field
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.restore_notes import Notes, token_of
from holdfast.services.restore_obstacles import Obstacles
from holdfast.services.restore_plan import Chosen, Decision, PlannedCollection, RestorePlan
from holdfast.services.restore_request import RestoreRequest


def plan_restore(request: RestoreRequest, manifest: Manifest, repository: Repository, target: Target) -> RestorePlan:
    """Given a request and a backup, say what would happen to the target. Changes nothing.

    Raises: InvalidSpec for what cannot be wanted, BackupNotFound if the selection is empty, DamagedBackup if a list of
    chunks cannot be read, and what the target raises.
    """
    del repository  # chunks are looked for by the restore itself: that may take minutes
    return decide(request, manifest, target).plan


def decide(request: RestoreRequest, manifest: Manifest, target: Target) -> Decision:
    """The same, with what is needed to do it."""
    return _Planner(request, manifest, target).decide()


class _Planner:
    def __init__(self, request: RestoreRequest, manifest: Manifest, target: Target) -> None:
        self._request, self._manifest, self._target = request, manifest, target
        self._warnings: list[str] = []

    def decide(self) -> Decision:
        request, manifest, target = self._request, self._manifest, self._target
        if request.existing is Existing.MERGE and request.strategy is Strategy.SWAP:
            raise InvalidSpec("A merge adds to the collections that are there; it cannot swap them.",
                              hint="Choose the strategy Auto.")  # fmt: skip
        wanted = self._wanted()
        names = self._names(wanted)
        notes = Notes(target, token_of(request.token, manifest.backup_id, target.database))
        there = {c.name: c for c in target.catalogue() if not is_own(c.name)}
        ours = notes.ours(there.values())
        kinds = {c.name: c.type for c in wanted}
        strategy, reason = self._strategy(wanted, names, notes, empty=not (set(there) - BACKUP_COLLECTIONS - ours))
        collections = tuple(
            self._planned(c, names[c.name], there.get(names[c.name]), strategy, ours=names[c.name] in ours)
            for c in wanted
        )
        chosen = [
            Chosen(self._as_in_target(record, names, kinds), plan)
            for record, plan in zip(wanted, collections, strict=True)
            if plan.action != "skip"
        ]
        obstacles = Obstacles(request, manifest, target)
        obstacles.look(chosen, there, strategy, names)
        if notes.begun:
            obstacles.warnings.append("An earlier attempt at this restore was cut short; this finishes it.")
        size = sum(one.plan.bytes for one in chosen)
        plan = RestorePlan(
            backup_id=manifest.backup_id,
            database=target.database,
            strategy=strategy,
            reason_for_strategy=reason,
            collections=collections,
            conflicts=tuple(str(error) for error in obstacles.refusals),
            warnings=(*self._warnings, *obstacles.warnings, *notes.left_by_others()),
            documents=sum(one.plan.documents for one in chosen),
            bytes=size,
            indexes=sum(one.plan.indexes for one in chosen),
            estimated_seconds=size / request.bytes_per_second if request.bytes_per_second else None,
            kept=tuple(sorted(set(there) - {one.plan.target for one in chosen} - BACKUP_COLLECTIONS)),
        )
        return Decision(plan, tuple(chosen), tuple(obstacles.refusals))

    def _strategy(
        self, wanted: Sequence[CollectionRecord], names: Mapping[str, str], notes: Notes, *, empty: bool
    ) -> tuple[Strategy, str]:
        if notes.strategy:
            return Strategy(notes.strategy), "The earlier attempt went this way."
        ways = (
            way_of(Strategy.SWAP, c.type, names[c.name], encrypted=_encrypted(c.options)) for c in wanted if not c.error
        )
        return choose_strategy(
            self._request.strategy,
            self._request.existing,
            empty=empty,
            none_swappable=all(way is Strategy.DIRECT for way in ways),
        )

    def _wanted(self) -> list[CollectionRecord]:
        include, exclude = self._request.include, self._request.exclude
        records = [c for c in self._manifest.collections if not is_own(c.name)]
        for pattern in include:
            if not any(matches(c.name, (pattern,)) for c in records):
                raise BackupNotFound(
                    f"Backup {self._manifest.backup_id} has no collection {pattern!r}.",
                    hint="`holdfast show` lists what it holds.",
                )
        wanted = [c for c in records if (not include or matches(c.name, include)) and not matches(c.name, exclude)]
        if all(c.error for c in wanted):
            raise BackupNotFound(
                f"Backup {self._manifest.backup_id} has no collection to restore that was asked for.",
                hint="`holdfast show` lists what it holds.",
            )
        return wanted

    def _names(self, wanted: Sequence[CollectionRecord]) -> dict[str, str]:
        """The name in the target of each collection."""
        known = {c.name for c in self._manifest.collections}
        given = dict(self._request.rename)
        if len(given) != len(self._request.rename):
            raise InvalidSpec("A collection is renamed twice.", hint="Name each only once.")
        for name, new in given.items():
            if name not in known:
                raise InvalidSpec(
                    f"Collection {name!r} is to be renamed, and backup {self._manifest.backup_id} does not have it.",
                    hint="`holdfast show` lists what it holds.",
                )
            if not new or "$" in new or "\0" in new or new.startswith("system.") or is_own(new):
                raise InvalidSpec(f"{new!r} is not a name that a collection can be given.", hint="Choose another.")
        names = {c.name: given.get(c.name, c.name) for c in wanted}
        for name, count in Counter(names.values()).items():
            if count > 1:
                raise InvalidSpec(f"Two collections would get the name {name!r}.", hint="Rename or exclude one.")
        return names

    def _planned(
        self, record: CollectionRecord, name: str, there: CollectionInfo | None, strategy: Strategy, *, ours: bool
    ) -> PlannedCollection:
        action: Literal["create", "replace", "merge", "skip"] = "create"
        merging = self._request.existing is Existing.MERGE
        if record.error:
            action = "skip"
            self._warnings.append(f"Collection {record.name!r} is not in the backup: {record.error}")
        elif there and (merging or not ours):
            action = "merge" if merging else "replace"
        return PlannedCollection(
            name=record.name,
            target=name,
            type=record.type,
            documents=record.documents,
            bytes=record.logical_bytes,
            indexes=len(record.indexes),
            action=action,
            existing_documents=self._target.estimate(there).documents if there and there.type != "view" else None,
            problem=record.error,
            way=way_of(strategy, record.type, name, encrypted=_encrypted(record.options)),
        )

    @staticmethod
    def _as_in_target(record: CollectionRecord, names: Mapping[str, str], kinds: Mapping[str, str]) -> CollectionRecord:
        """A view goes on looking at a collection that is restored under another name."""
        options = record.options
        if record.type == "view" and (looked_at := text_field(options, "viewOn")) in kinds:
            options = with_text_field(options, "viewOn", names[looked_at or ""])
        return record.model_copy(update={"name": names[record.name], "options": options})


def _encrypted(options: bytes) -> bool:
    return any(field == b"encryptedFields" for _, field, _, _ in elements(options))
