"""The last runs of a policy, each a shape to look at and a sentence to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.domain.human import human_bytes
from holdfast.resources.run import BackupRun
from holdfast.web.dashboard.views.marks import Mark, mark

RUNS = 30


@dataclass(frozen=True)
class Tick:
    """One run."""

    name: str
    mark: Mark
    details: str


def strip(runs: Sequence[BackupRun]) -> tuple[Tick, ...]:
    """``runs``: newest first; the strip goes on to the right, as time does."""
    return tuple(Tick(run.metadata.name, mark(run.status.phase), _details(run)) for run in reversed(runs[:RUNS]))


def moment(time: datetime) -> str:
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


def _details(run: BackupRun) -> str:
    """Such as ``Succeeded, 1 Mar 2026, 02:00 UTC, took 8s, 1.2 MiB``."""
    status = run.status
    parts = [mark(status.phase).word]
    if begun := status.start_time or run.born:
        parts.append(moment(begun))
    if status.duration:
        parts.append(f"took {status.duration}")
    if status.stored_bytes is not None:
        parts.append(human_bytes(status.stored_bytes))
    if not status.terminal and status.progress:
        parts.append(status.progress)
    if status.terminal and status.reason and status.reason != status.phase:
        parts.append(status.reason)
    return ", ".join(parts)
