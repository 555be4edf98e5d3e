"""Let the server keep the moment of a backup for as long as reading takes, and set its window back afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.domain.snapshot_window import LONGEST, USUAL
from holdfast.errors import HoldfastError, NotAuthorized
from holdfast.ports import Progress, Source


@contextmanager
def window_of(source: Source, needed: int, progress: Progress) -> Iterator[None]:
    """For the time of the context, the source keeps its snapshots for ``needed`` seconds, or for LONGEST.

    It is raised only where it is too short, and set back only if nobody else has changed it meanwhile: another backup
    may need what it has set. After a kill it stays raised until the server restarts. Where the user may not raise it,
    a warning says what to do, and the backup is tried all the same.
    """
    wanted = min(needed, LONGEST)
    before = _now(source)
    if before is None or wanted <= before:
        yield
        return
    if needed > LONGEST:
        progress.warn(
            f"Reading may take {needed} s; the server is asked to keep its snapshots for {LONGEST} s and no longer."
        )
    try:
        source.set_snapshot_window(wanted)
    except NotAuthorized:
        progress.warn(
            f"Reading may take {wanted} s, and the server keeps its snapshots for {before} s. Give the user the role "
            "hostManager on admin, or set minSnapshotHistoryWindowInSeconds on the server."
        )
        yield
        return
    try:
        yield
    finally:
        try:
            if source.snapshot_window() == wanted:
                source.set_snapshot_window(before)
        except HoldfastError as error:
            progress.warn(f"minSnapshotHistoryWindowInSeconds was not set back to {before}: {error}")


def _now(source: Source) -> int | None:
    try:
        return source.snapshot_window()
    except NotAuthorized:
        return USUAL
