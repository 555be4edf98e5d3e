"""What a pod of a RestoreRun has to know while another one leads: which backup it is, and whether the run has ended."""

from collections.abc import Callable
from datetime import timedelta
from threading import Event

from holdfast.domain.teamwork import Patience, Seat
from holdfast.errors import HoldfastError, Interrupted, InvalidSpec
from holdfast.ports import Clock
from holdfast.resources.restore_run import RestoreRun

_LOOK = timedelta(seconds=5)


def await_backup(
    run: RestoreRun,
    seat: Seat,
    find: Callable[[], RestoreRun],
    clock: Clock,
    stop: Event,
    wait: Callable[[float], object],
) -> RestoreRun:
    """Wait until the first pod has noted which backup it is; the run as it then is. Where that one does not come, each
    index waits so much longer than the one before, and then goes on by itself."""
    patience = Patience()
    deadline = clock() + seat.index * patience.plan
    while not (run.status.backup_id or run.status.terminal or clock() >= deadline):
        if stop.is_set():
            raise Interrupted("The restore was asked to stop.", hint="It had not begun.")
        wait(patience.look.total_seconds())
        run = find()
    return run


class RunHasEnded:
    """Whether somebody has told how the run ended. Asks now and then."""

    def __init__(self, find: Callable[[], RestoreRun], clock: Clock) -> None:
        self._find, self._clock = find, clock
        self._ended, self._next = False, clock()

    def __call__(self) -> bool:
        if not self._ended and self._clock() >= self._next:
            self._ended, self._next = self._ask(), self._clock() + _LOOK
        return self._ended

    def _ask(self) -> bool:
        try:
            return self._find().status.terminal
        except InvalidSpec:
            return True  # it was deleted
        except HoldfastError:
            return False
