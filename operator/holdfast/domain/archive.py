"""What the archive of an oplog means for a policy's health."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.domain.health import Verdict

SLACK = timedelta(minutes=5)
"""So long an archive may be behind beyond its own interval: a pod is moved, a primary elected."""
TOO_LONG = timedelta(minutes=30)
"""Then the oplog may soon not hold what is missing."""


@dataclass(frozen=True)
class Archive:
    """What is known of the archive of a policy that asks for one. ``since``: since when it is asked for."""

    since: datetime
    interval: timedelta
    """What is written is archived so much later at most."""
    until: datetime | None = None
    gap: str | None = None
    """Why nothing of what is archived now can be restored yet, although there was an archive before."""
    problem: str = ""
    """What the archiver said of itself."""


def archive_findings(archive: Archive | None, now: datetime) -> list[tuple[Verdict, str]]:
    """What is wrong with it. ``archive``: None where none is asked for."""
    if archive is None:
        return []
    found: list[tuple[Verdict, str]] = []
    if archive.gap is not None:
        words = f"There is a gap in the archived oplog: {archive.gap} Seconds in it cannot be restored, nor any from"
        found.append((Verdict.CRITICAL, f"{words} there on until a new backup is taken, which starts by itself."))
    behind = now - (archive.until or archive.since)
    told = f"It is archived up to {archive.until:%Y-%m-%dT%H:%M:%SZ}." if archive.until else "Nothing is archived yet."
    advice = "Look at the log of the archiver's pod."
    if behind > TOO_LONG + archive.interval:
        found.append((Verdict.CRITICAL, f"The oplog is not archived. {told} {archive.problem or advice}"))
    elif archive.problem and archive.until is None:
        found.append((Verdict.CRITICAL, f"The oplog is not archived. {archive.problem}"))
    elif archive.problem or behind > SLACK + archive.interval:
        found.append((Verdict.WARNING, f"The archive of the oplog is behind. {told} {archive.problem or advice}"))
    return found
