"""How a worker's pod tells what became of it, whatever it works on."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import ClusterUnavailable, HoldfastError, NotAuthorized, Unavailable
from holdfast.ports import Clock

EXIT_RETRY = Unavailable.exit_code
REPORT_PATIENCE = timedelta(seconds=45)
"""Less than the pod's grace period: the last report may be all that is left to do when a node is drained."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerResult:
    exit_code: int
    message: WorkerMessage


SHARE_DONE = WorkerResult(0, WorkerMessage("ShareDone", "Another pod of this Job tells what came of the run."))


@dataclass(frozen=True)
class Failure:
    """An error as people read it."""

    reason: str
    text: str
    exit_code: int
    retry: bool


def failure_of(error: Exception) -> Failure:
    """Given any error, say it without a traceback or a secret."""
    if isinstance(error, HoldfastError):
        return Failure(error.reason, str(error), error.exit_code, error.retryable)
    # Where, but not what: the text of a stranger's error may quote a secret.
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    text = f"The worker met an error that it does not know: {type(error).__name__} in {place}."
    return Failure("InternalError", text, EXIT_RETRY, retry=True)


def said_at_last(work: Callable[[], WorkerResult]) -> WorkerResult:
    """What came of an errand that has no run to report on. Never raises: the pod must still say what happened."""
    try:
        return work()
    except Exception as error:  # noqa: BLE001 (whatever it was)
        failure = failure_of(error)
        _log.error("%s", failure.text)
        return WorkerResult(failure.exit_code, WorkerMessage(failure.reason, failure.text))


def patiently(call: Callable[[], _T], clock: Clock, wait: Callable[[float], object]) -> _T:
    """``call``, again and again while the cluster does not answer, for a time."""
    patience_ends = clock() + REPORT_PATIENCE
    pause = 1.0
    while True:
        try:
            return call()
        except (Unavailable, NotAuthorized) as error:
            if clock() + timedelta(seconds=pause) > patience_ends:
                # Rights that are missing come back too: the operator repairs the Role.
                raise ClusterUnavailable(error.message, hint=error.hint) from error
        wait(pause)
        pause = min(pause * 2, 10.0)
