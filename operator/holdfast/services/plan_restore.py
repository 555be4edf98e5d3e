"""What a restore would do, to the last collection, before anything is changed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.domain import sharded
from holdfast.domain.privileges import BUCKETS, lacking
from holdfast.domain.restoring import Existing, Strategy, choose_strategy, is_own, way_of
from holdfast.domain.room import room_for
from holdfast.domain.selection import BACKUP_COLLECTIONS, matches
from holdfast.errors import (
    BackupNotFound,
    HoldfastError,
    InvalidSpec,
    NotAuthorized,
    StoreFull,
    TargetNotEmpty,
)
from holdfast.ports import CollectionInfo, Target
from holdfast.repository.documents import elements, text_field, with_text_field
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.portability import refused_by, version_of
from holdfast.repository.repository import Repository
from holdfast.services.restore_notes import Notes, token_of

_LONGEST_NAMESPACE = 255
"""Bytes of ``database.collection``, since MongoDB 4.4 (manual, "MongoDB Limits and Thresholds")."""
_LOADING = frozenset({"createCollection", "insert", "find", "createIndex", "listIndexes"})
_NOTING = frozenset({"find", "insert", "update", "remove", "dropCollection"})


@dataclass(frozen=True)
class RestoreRequest:
    """What is wanted. ``include`` and ``exclude`` are names or globs of the backup; no ``include`` means all."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    """Collections that get another name: the backup's, and the new one."""
    existing: Existing = Existing.FAIL
    strategy: Strategy = Strategy.AUTO
    confirm: str | None = None
    """The name of the target database; asked for by ``Existing.DROP``."""
    token: str = ""
    """The same for every attempt at one restore: what an earlier one left is known by it."""
    bytes_per_second: float | None = None
    """How fast past restores were."""


@dataclass(frozen=True)
class PlannedCollection:
    """``way``: Swap if it is made ready aside and renamed into place, Direct if it is written where it belongs."""

    name: str
    target: str
    type: str
    documents: int
    bytes: int
    indexes: int
    action: Literal["create", "replace", "merge", "skip"]
    existing_documents: int | None = None
    problem: str | None = None
    way: Strategy = Strategy.DIRECT


@dataclass(frozen=True)
class RestorePlan:
    """``conflicts``: why nothing would be done at all. ``kept``: collections of the target that stay as they are."""

    backup_id: str
    database: str
    strategy: Strategy
    reason_for_strategy: str
    collections: tuple[PlannedCollection, ...]
    conflicts: tuple[str, ...]
    warnings: tuple[str, ...]
    documents: int
    bytes: int
    indexes: int
    estimated_seconds: float | None = None
    kept: tuple[str, ...] = ()

    @property
    def replaced(self) -> tuple[str, ...]:
        return tuple(one.target for one in self.collections if one.action == "replace")


@dataclass(frozen=True)
class Chosen:
    """A collection to restore: as it is to be in the target, and its plan."""

    record: CollectionRecord
    plan: PlannedCollection


@dataclass(frozen=True)
class Decision:
    """A plan with what a restore needs to act on it. ``refusals``: the conflicts, as errors."""

    plan: RestorePlan
    chosen: tuple[Chosen, ...]
    refusals: tuple[HoldfastError, ...]

    def require_possible(self) -> None:
        """Raises the first refusal, with the words of all."""
        if self.refusals:
            text = " ".join(error.message for error in self.refusals)
            raise type(self.refusals[0])(f"{text} Nothing was written.", hint=self.refusals[0].hint)


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
        self._refusals: list[HoldfastError] = []
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
        strategy, reason = choose_strategy(
            request.strategy,
            request.existing,
            empty=not (set(there) - BACKUP_COLLECTIONS - ours),
            none_swappable=all(
                way_of(Strategy.SWAP, c.type, names[c.name], encrypted=_encrypted(c.options)) is Strategy.DIRECT
                for c in wanted
                if not c.error
            ),
        )
        if notes.strategy:
            strategy, reason = Strategy(notes.strategy), "The earlier attempt went this way."
        collections = tuple(
            self._planned(c, names[c.name], there.get(names[c.name]), strategy, ours=names[c.name] in ours)
            for c in wanted
        )
        chosen = [
            Chosen(self._as_in_target(record, names, kinds), plan)
            for record, plan in zip(wanted, collections, strict=True)
            if plan.action != "skip"
        ]
        self._check_existing(chosen, there)
        self._check_server(chosen)
        self._check_names(chosen)
        self._check_rights(chosen, strategy)
        self._check_room(chosen, there, strategy)
        self._check_views(chosen, there, names)
        self._warn_of(notes)
        size = sum(one.plan.bytes for one in chosen)
        plan = RestorePlan(
            backup_id=manifest.backup_id,
            database=target.database,
            strategy=strategy,
            reason_for_strategy=reason,
            collections=collections,
            conflicts=tuple(str(error) for error in self._refusals),
            warnings=tuple(self._warnings),
            documents=sum(one.plan.documents for one in chosen),
            bytes=size,
            indexes=sum(one.plan.indexes for one in chosen),
            estimated_seconds=size / request.bytes_per_second if request.bytes_per_second else None,
            kept=tuple(sorted(set(there) - {one.plan.target for one in chosen} - BACKUP_COLLECTIONS)),
        )
        return Decision(plan, tuple(chosen), tuple(self._refusals))

    # --- what is wanted ----------------------------------------------------------------------------------------------

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

    # --- what is in the way ------------------------------------------------------------------------------------------

    def _refuse(self, kind: type[HoldfastError], message: str, hint: str) -> None:
        self._refusals.append(kind(message, hint=hint))

    def _check_existing(self, chosen: Sequence[Chosen], there: Mapping[str, CollectionInfo]) -> None:
        request, database = self._request, self._target.database
        replaced = [one.plan.target for one in chosen if one.plan.action == "replace"]
        if request.confirm not in (None, database):
            self._refuse(
                InvalidSpec,
                f"{request.confirm!r} is confirmed, and the target is database {database!r}.",
                "Confirm the name of the database whose collections are to be replaced.",
            )
        elif request.existing is Existing.DROP and replaced and request.confirm is None:
            self._refuse(
                InvalidSpec,
                f"{_some(replaced)} of database {database!r} would be replaced, and that is not confirmed.",
                f"Confirm it with the name of the database, {database}.",
            )
        if request.existing is Existing.FAIL and replaced:
            self._refuse(
                TargetNotEmpty,
                f"Database {database!r} has {_some(replaced)} already.",
                "Restore into another database, or choose to drop what is there, or to merge into it.",
            )
        for one in chosen:
            if one.plan.action in ("replace", "merge") and one.plan.target in BACKUP_COLLECTIONS:
                self._refuse(InvalidSpec, f"Collection {one.plan.target!r} of the target holds backups.", "Rename it.")
            if one.plan.action == "merge":
                self._check_merge(one, there[one.plan.target])

    def _check_merge(self, one: Chosen, there: CollectionInfo) -> None:
        name, record = one.plan.target, one.record
        if there.type != record.type or there.capped != record.capped:
            self._refuse(
                InvalidSpec,
                f"{name!r} is {_kind(there)} in the target, and {_kind(record.info)} in the backup.",
                "Exclude it, or restore it under another name.",
            )
        elif record.capped or record.type == "timeseries":
            self._refuse(
                InvalidSpec,
                f"{name!r} is {_kind(record.info)}, which cannot be merged into.",
                "Exclude it, or restore it under another name and copy from there.",
            )

    def _check_server(self, chosen: Sequence[Chosen]) -> None:
        server, source = self._target.server(), self._manifest.server
        if server.topology == "sharded":
            self._refuse(
                InvalidSpec,
                "The target is a sharded cluster (a mongos answered); Holdfast restores into replica sets and "
                f"standalones. {sharded.WHAT_IT_WOULD_NEED}",
                sharded.HINT,
            )
            return  # a mongos knows no feature compatibility version
        version, name = version_of(server.version), f"MongoDB {server.version}"
        compatibility = self._target.compatibility()
        if compatibility and version_of(compatibility) < version:
            version, name = version_of(compatibility), f"{name} with feature compatibility version {compatibility}"
        if version < version_of(source.version):
            self._warnings.append(f"The target runs {name}, older than the {source.version} that was backed up.")
        for one in chosen:
            for text in refused_by(one.record.info, version):
                self._refuse(
                    InvalidSpec,
                    f"{one.plan.name!r} cannot be restored into {name}: {text}.",
                    "Choose another server, or exclude it.",
                )

    def _check_names(self, chosen: Sequence[Chosen]) -> None:
        for one in chosen:
            kept_as = BUCKETS + one.plan.target if one.plan.type == "timeseries" else one.plan.target
            size = len(f"{self._target.database}.{kept_as}".encode())
            if size > _LONGEST_NAMESPACE:
                self._refuse(
                    InvalidSpec,
                    f"{self._target.database}.{kept_as} has {size} bytes; a name has {_LONGEST_NAMESPACE} at most.",
                    "Choose a shorter name for the database or the collection.",
                )

    def _check_rights(self, chosen: Sequence[Chosen], strategy: Strategy) -> None:
        privileges = self._target.privileges()
        if privileges is None:
            return
        needed: dict[str, frozenset[str]] = {"holdfast_restore": _NOTING}
        for one in chosen:
            name = one.plan.target
            if name.startswith("system."):
                continue
            actions = set(_LOADING) if one.plan.type != "view" else {"createCollection"}
            if one.plan.action == "replace":
                actions.add("dropCollection")
            if strategy is Strategy.SWAP:
                actions |= {"renameCollectionSameDB", "dropCollection"}
            if any(field == b"validator" for _, field, _, _ in elements(one.record.options)):
                actions.add("bypassDocumentValidation")
            if one.plan.type == "timeseries":
                needed[BUCKETS + name] = frozenset({"insert", "find"})
            needed[name] = frozenset(actions)
        if missing := lacking(privileges, self._target.database, needed):
            actions_told = ", ".join(sorted(frozenset().union(*missing.values())))
            self._refuse(
                NotAuthorized,
                f"The user may not do all of this in database {self._target.database!r}: it lacks {actions_told} on "
                f"{_some(sorted(missing))}.",
                f"Give it the role readWrite on {self._target.database!r}; for validators dbAdmin too, for time-series "
                "collections `restore` and `backup` on admin.",
            )

    def _check_room(self, chosen: Sequence[Chosen], there: Mapping[str, CollectionInfo], strategy: Strategy) -> None:
        free = self._target.free_bytes()
        if free is None:
            return
        if strategy is Strategy.DIRECT:
            # They go before theirs are written.
            replaced = (there[one.plan.target] for one in chosen if one.plan.action == "replace")
            free += sum(self._target.estimate(one).storage_bytes for one in replaced if one.type != "view")
        new = [one.record for one in chosen if one.plan.action != "merge"]
        no_room, little_room = room_for(
            free, compressed=sum(c.stored_bytes for c in new), raw=sum(c.logical_bytes for c in new)
        )
        if no_room:
            hint = "Give it more room, or restore fewer collections."
            if strategy is Strategy.SWAP:
                hint += " The strategy Direct does without a second copy, but shows applications half a restore."
            self._refuse(StoreFull, no_room, hint)
        if little_room:
            self._warnings.append(little_room)

    def _check_views(
        self, chosen: Sequence[Chosen], there: Mapping[str, CollectionInfo], names: Mapping[str, str]
    ) -> None:
        present = {one.plan.target for one in chosen} | set(there)
        renamed = {name: new for name, new in names.items() if name != new}
        for one in chosen:
            if one.record.type != "view":
                continue
            looked_at = text_field(one.record.options, "viewOn")
            if looked_at not in present:
                self._warnings.append(f"View {one.plan.target!r} looks at {looked_at!r}, which is not restored.")
            for name, new in renamed.items():
                if name.encode() + b"\0" in one.record.options:
                    self._warnings.append(
                        f"View {one.plan.target!r} may look at {name!r} in its pipeline, which is restored as {new!r}; "
                        "a pipeline is left as it is."
                    )

    def _warn_of(self, notes: Notes) -> None:
        if notes.begun:
            self._warnings.append("An earlier attempt at this restore was cut short; this finishes it.")
        self._warnings += notes.left_by_others()


def _encrypted(options: bytes) -> bool:
    return any(field == b"encryptedFields" for _, field, _, _ in elements(options))


def _kind(info: CollectionInfo) -> str:
    if info.type == "view":
        return "a view"
    if info.type == "timeseries":
        return "a time-series collection"
    return "a capped collection" if info.capped else "a collection"


def _some(names: Sequence[str]) -> str:
    told = ", ".join(repr(name) for name in names[:10])
    return f"{told} and {len(names) - 10} more" if len(names) > 10 else told
