"""``holdfast restore --point-in-time`` and ``--before-drop``."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from threading import Event

import typer

from holdfast.cli.console import print_json, print_warning, progress
from holdfast.cli.options import uri_needed
from holdfast.errors import InvalidSpec
from holdfast.ports import Target
from holdfast.processes import Processes
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.repository import Repository
from holdfast.services.find_event import Accident, time_before
from holdfast.services.reach import Reach, find_reach, point_of
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_to_point import PointOutcome
from holdfast.services.restore_to_point import restore_to_point as restore
from holdfast.services.restore_work import restore_work
from holdfast.wiring.opening import now, open_replayer

Opener = Callable[[str], Callable[[], AbstractContextManager[tuple[Target, Repository]]]]


def restore_to_point(
    backup: str,
    point_in_time: str | None,
    drop: str | None,
    source: str | None,
    database: str | None,
    request: RestoreRequest,
    opener: Opener,
    opened: Repository,
    uri_file: Path | None,
    stop: Event,
    *,
    plan: bool,
    json: bool,
) -> None:
    """What the options of ``holdfast restore`` say, with the repository that they name."""
    if point_in_time and drop:
        raise InvalidSpec("--point-in-time and --before-drop name two points in time.", hint="Give one of them.")
    opened.open()
    until = point_of(point_in_time) if point_in_time else time_before(opened, source, Accident("drop", drop or ""))
    reach = find_reach(opened, source, until, backup)
    name = database or reach.manifest.database
    if plan:
        if json:
            print_json(_way(reach, name) | {"mode": "PointInTimePlan"})
        else:
            typer.echo(
                f"Backup {reach.manifest.backup_id}, of {reach.since}, and then the oplog up to {reach.until}, into "
                f"{name!r}. Nothing was changed."
            )
        return
    uri, origin = uri_needed(uri_file)
    begin = opener(name)
    with (
        Processes() as processes,
        begin() as (target, _),
        closing(open_replayer(uri, name, origin=origin)) as replayer,
        progress() as shown,
    ):
        purpose = f"restore to {reach.until}"
        with kept_for_reading(opened.store, now, purpose, stop, shown.warn):
            opened.resolve(reach.manifest.backup_id)  # a prune may have been faster than our lock
            crew = processes.crew(partial(restore_work, begin))
            outcome = restore(request, reach, opened, target, replayer, shown, now, stop, crew=crew)
    for warning in outcome.warnings:
        print_warning(warning)
    if json:
        print_json(_as_json(outcome, reach, name))
    else:
        typer.echo(
            f"{name!r} is as {reach.manifest.database!r} was at {reach.until}: backup {reach.manifest.backup_id}, "
            f"compared, and {outcome.operations} changes after it; {len(outcome.collections)} collections"
        )


def _way(reach: Reach, database: str) -> dict[str, object]:
    return {
        "backupId": reach.manifest.backup_id,
        "database": database,
        "from": str(reach.since),
        "until": str(reach.until),
    }


def _as_json(outcome: PointOutcome, reach: Reach, database: str) -> dict[str, object]:
    return _way(reach, database) | {
        "mode": "PointInTime",
        "operations": outcome.operations,
        "collections": list(outcome.collections),
        "warnings": list(outcome.warnings),
    }
