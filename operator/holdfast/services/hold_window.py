"""Let the server keep the moment of a backup for as long as reading takes, and set its window back afterwards."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from holdfast.domain.shared_window import PROBE, holders, joined, left
from holdfast.domain.snapshot_window import LONGEST, USUAL
from holdfast.errors import HoldfastError, NotAuthorized, OperationFailed
from holdfast.ports import Progress, Source

_PARAMETER = "minSnapshotHistoryWindowInSeconds"
_TRIES = 10


@contextmanager
def window_of(source: Source, needed: int, progress: Progress) -> Iterator[None]:
    """For the time of the context, the source keeps its snapshots for ``needed`` seconds, or for LONGEST.

    The window is raised only where it is too short, and held by each backup that needs more than the server's default,
    also where people have set one that is long enough: the last of other backups may set it back to the default. See
    :mod:`holdfast.domain.shared_window`. After a kill it stays as it is until the server restarts or somebody sets it.
    Where the user may not raise it, a warning says what to do, and the backup is tried all the same.
    """
    found = _hold(source, needed, progress)
    try:
        yield
    finally:
        if found is not None:
            _release(source, found, progress)


def _hold(source: Source, needed: int, progress: Progress) -> int | None:
    """The window as it was found, if it is held from now on."""
    if not needed:
        return None
    try:
        now, readable = source.snapshot_window(), True
    except NotAuthorized:
        now, readable = USUAL, False
    if now is None:
        return None
    if needed > max(now, LONGEST):
        progress.warn(f"Reading may take {needed} s; no server is asked to keep its snapshots longer than {LONGEST} s.")
    wanted = min(needed, LONGEST)
    if _nobodys(now, wanted):
        return None
    try:
        before, after = _exchange(source, now if readable else None, lambda window: _raised(window, wanted))
    except (NotAuthorized, OperationFailed) as error:
        if wanted > (min(now, USUAL) if holders(now) else now):
            progress.warn(_not_raised(wanted, now if readable else None, error))
        return None
    if after == before and wanted > after:
        progress.warn(
            f"Reading may take {wanted} s, and the server keeps its snapshots for {after} s: {holders(after)} other "
            f"backups have raised that, or were killed while they ran. Set {_PARAMETER} back to {USUAL} on the server "
            "when none runs."
        )
    return before if after != before else None


def _nobodys(window: int, needed: int) -> bool:
    """Whether the window is long enough, and stays so without being held: no backup raises the longest one."""
    return not holders(window) and (needed <= min(window, USUAL) or window >= LONGEST)


def _raised(window: int, needed: int) -> int:
    if _nobodys(window, needed):
        return window
    more = joined(window, needed)
    return window if more is None else more


def _release(source: Source, found: int, progress: Progress) -> None:
    try:
        try:
            now = source.snapshot_window()
        except NotAuthorized:
            now = None
        _exchange(source, now, lambda window: left(window, found))
    except HoldfastError as error:
        usual = USUAL if holders(found) else found
        progress.warn(
            f"{_PARAMETER} was not set back: {error} Once no backup runs, set it to {usual} on the server; else it "
            "stays raised until that restarts."
        )


def _exchange(source: Source, now: int | None, change: Callable[[int], int]) -> tuple[int, int]:
    """Change the window and return it as it was and as it is. ``now``: as it was read, None if that may not be read.

    Others may do the same at this moment: setting it tells what it was, so each sees what came between.
    """
    if now is None:
        before, present = source.set_snapshot_window(PROBE), PROBE
    else:
        before = present = now
    for _ in range(_TRIES):
        wanted = change(before)
        if wanted == present:
            break
        was = source.set_snapshot_window(wanted)
        if was == present:
            return before, wanted
        before, present = was, wanted
    return before, present


def _not_raised(needed: int, now: int | None, error: HoldfastError) -> str:
    kept = f"keeps its snapshots for {now} s" if now is not None else f"may keep its snapshots for {USUAL} s only"
    if now is not None and holders(now):
        kept += ", as long as another backup runs"
    text = f"Reading may take {needed} s, and the server {kept}."
    if isinstance(error, NotAuthorized):
        return f"{text} Give the user the role hostManager on admin, or set {_PARAMETER} on the server."
    return f"{text} Set {_PARAMETER} on the server: it cannot be raised from here ({error.message})"
