"""The moment just ahead of an accident, by what the archived oplog shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domain.oplog import BUCKETS, Operation
from holdfast.errors import TimeNotReachable
from holdfast.ports import ClusterTime
from holdfast.repository.repository import Repository
from holdfast.services.reach import Reach, bases_of, reaches_of

_DROPS = ("drop", "dropView")


@dataclass(frozen=True)
class Accident:
    """``operation``: drop, dropDatabase or renameCollection. ``namespace``: of a collection, with or without its
    database in front; of a database for ``dropDatabase``."""

    operation: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.operation} of {self.namespace!r}"


def time_before(
    repository: Repository, database: str | None, accident: Accident, owner: tuple[str, str] | None = None
) -> ClusterTime:
    """The moment just ahead of the last accident of this kind. TimeNotReachable if the archive shows none."""
    for reach in reaches_of(repository, bases_of(repository, database, owner)):
        if accident.operation == "dropDatabase":
            found = _drop_of_database(reach, accident)
        else:
            times = (time for time, one in _operations(reach) if _is(one, accident, reach.manifest.database))
            found = max(times, default=None)
        if found:
            return ClusterTime(found.seconds, found.increment - 1)
    raise TimeNotReachable(
        f"No {accident} is in the slices of oplog behind a backup.",
        hint="Give the time instead, and look whether the name is right.",
    )


def _operations(reach: Reach) -> Iterator[tuple[ClusterTime, Operation]]:
    for entry in reach.slices.entries(reach.window, reach.since, reach.window.until):
        for one in entry.operations:
            yield entry.time, one


def _is(one: Operation, accident: Accident, database: str) -> bool:
    name = accident.namespace.removeprefix(f"{database}.")
    if one.kind == "rename":
        over = one.replaces and one.to == name
        return over if accident.operation == "drop" else over or one.collection == name
    return accident.operation == "drop" and one.kind in _DROPS and one.collection.removeprefix(BUCKETS) == name


def _drop_of_database(reach: Reach, accident: Accident) -> ClusterTime | None:
    """The server drops its collections one by one first: all was well ahead of the first of these."""
    if accident.namespace != reach.manifest.database:
        return None
    first: ClusterTime | None = None
    found: ClusterTime | None = None
    for time, one in _operations(reach):
        if one.kind == "dropDatabase":
            found, first = first or time, None
        elif one.kind in _DROPS:
            first = first or time
        else:
            first = None
    return found
