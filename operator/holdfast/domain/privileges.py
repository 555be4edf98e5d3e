"""Whether a user's privileges are enough for what is planned, as far as they tell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

BUCKETS = "system.buckets."


@dataclass(frozen=True)
class Privilege:
    """Actions on a resource. An empty ``database`` is any; an empty ``collection`` is any but the server's own;
    ``system.buckets.`` is the buckets of any time-series collection; None is everything there is."""

    database: str
    collection: str | None
    actions: frozenset[str]

    def covers(self, database: str, collection: str) -> bool:
        if self.collection is None:
            return True
        if self.database not in ("", database):
            return False
        if not self.collection:
            return not collection.startswith("system.")
        return self.collection in (collection, BUCKETS if collection.startswith(BUCKETS) else collection)


def lacking(
    privileges: Iterable[Privilege], database: str, needed: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """By collection, the actions in ``needed`` that no privilege allows. Empty if all are."""
    known = list(privileges)
    missing = {}
    for collection, actions in needed.items():
        allowed = frozenset().union(*(p.actions for p in known if p.covers(database, collection)))
        if actions - allowed:
            missing[collection] = actions - allowed
    return missing
