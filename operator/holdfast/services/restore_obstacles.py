"""What is in the way of a restore: what the target has already, its server, its names, its rights and its room."""

from collections.abc import Mapping, Sequence

from holdfast.domain import sharded
from holdfast.domain.privileges import BUCKETS, lacking
from holdfast.domain.restoring import Existing, Strategy
from holdfast.domain.room import room_for
from holdfast.domain.selection import BACKUP_COLLECTIONS
from holdfast.errors import HoldfastError, InvalidSpec, NotAuthorized, StoreFull, TargetNotEmpty
from holdfast.ports import CollectionInfo, Target
from holdfast.repository.documents import elements, text_field
from holdfast.repository.manifest import Manifest
from holdfast.repository.portability import refused_by, version_of
from holdfast.services.restore_plan import Chosen
from holdfast.services.restore_request import RestoreRequest

_LONGEST_NAMESPACE = 255
"""Bytes of ``database.collection``, since MongoDB 4.4 (manual, "MongoDB Limits and Thresholds")."""
_LOADING = frozenset({"createCollection", "insert", "find", "createIndex", "listIndexes"})
_NOTING = frozenset({"find", "insert", "update", "remove", "dropCollection"})


class Obstacles:
    """``refusals``: why nothing is to be done at all. ``warnings``: what is to be known."""

    def __init__(self, request: RestoreRequest, manifest: Manifest, target: Target) -> None:
        self._request, self._manifest, self._target = request, manifest, target
        self.refusals: list[HoldfastError] = []
        self.warnings: list[str] = []

    def look(
        self,
        chosen: Sequence[Chosen],
        there: Mapping[str, CollectionInfo],
        strategy: Strategy,
        names: Mapping[str, str],
    ) -> None:
        """``there``: the collections of the target. ``names``: how each collection of the backup is called in it."""
        self._check_existing(chosen, there)
        self._check_server(chosen)
        self._check_names(chosen)
        self._check_rights(chosen, strategy)
        self._check_room(chosen, there, strategy)
        self._check_views(chosen, there, names)

    def _refuse(self, kind: type[HoldfastError], message: str, hint: str) -> None:
        self.refusals.append(kind(message, hint=hint))

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
        elif self._manifest.changes:
            self.warnings.append(
                f"{name!r} is merged as it was read: what was written to it during the backup is not repeated among "
                "documents that are there."
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
            self.warnings.append(f"The target runs {name}, older than the {source.version} that was backed up.")
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
            self.warnings.append(little_room)

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
                self.warnings.append(f"View {one.plan.target!r} looks at {looked_at!r}, which is not restored.")
            for name, new in renamed.items():
                if name.encode() + b"\0" in one.record.options:
                    self.warnings.append(
                        f"View {one.plan.target!r} may look at {name!r} in its pipeline, which is restored as {new!r}; "
                        "a pipeline is left as it is."
                    )


def _kind(info: CollectionInfo) -> str:
    if info.type == "view":
        return "a view"
    if info.type == "timeseries":
        return "a time-series collection"
    return "a capped collection" if info.capped else "a collection"


def _some(names: Sequence[str]) -> str:
    told = ", ".join(repr(name) for name in names[:10])
    return f"{told} and {len(names) - 10} more" if len(names) > 10 else told
