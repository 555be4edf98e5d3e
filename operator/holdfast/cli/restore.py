"""``holdfast restore``."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.console import progress
from holdfast.cli.options import (
    Json,
    KeyFile,
    RepositoryOption,
    UriFile,
    repository_at,
    stop_on_signals,
    uri_needed,
)
from holdfast.cli.restore_options import (
    BeforeDrop,
    Confirm,
    Exclude,
    ExistingOption,
    Include,
    Rename,
    StrategyOption,
    renamed,
)
from holdfast.cli.restore_shown import show_outcome, show_plan
from holdfast.cli.restore_to_point import restore_to_point
from holdfast.domain.restoring import Existing, Strategy
from holdfast.errors import InvalidSpec
from holdfast.ports import Target
from holdfast.processes import Processes
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.repository import Repository
from holdfast.services.plan_restore import plan_restore
from holdfast.services.restore import restore
from holdfast.services.restore_outcome import require_equal
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_work import restore_work
from holdfast.wiring.opening import now, open_target


def restore_backup(
    repository: RepositoryOption,
    backup: Annotated[
        str | None, typer.Argument(metavar="BACKUP", help="An id, a unique prefix of one, or latest.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="DB", help="Restore into this database; else the original's name."),
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    rename: Rename = None,
    existing: ExistingOption = Existing.FAIL,
    confirm: Confirm = None,
    strategy: StrategyOption = Strategy.AUTO,
    point_in_time: Annotated[
        str | None,
        typer.Option(
            "--point-in-time",
            metavar="TIME",
            help="As all was at the end of this second, 2026-11-23T01:59:59Z, or at a cluster time, SECONDS.INCREMENT. "
            "It takes slices of `holdfast archive-oplog`, and an empty target.",
        ),
    ] = None,
    drop: BeforeDrop = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="DB", help="The database that is meant, where a repository holds several."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would happen; change nothing.")] = False,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Restore a backup, and prove that it is the same. What is there already stays, unless you say otherwise."""
    stop = stop_on_signals()
    request = RestoreRequest(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        rename=tuple(map(renamed, rename or ())),
        existing=existing,
        strategy=strategy,
        confirm=confirm,
    )
    if point_in_time or drop:
        with closing(repository_at(repository, uri_file, key_file)) as opened:
            restore_to_point(
                backup or "latest", point_in_time, drop, source, database, request,
                lambda name: partial(_open, repository, name, uri_file, key_file),
                opened, uri_file, stop, plan=plan, json=json,
            )  # fmt: skip
        return
    if backup is None:
        raise InvalidSpec("No backup is named.", hint="Give an id, `latest`, or --point-in-time TIME.")
    with (
        Processes() as processes,
        closing(repository_at(repository, uri_file, key_file)) as opened,
        progress() as shown,
    ):
        opened.open()
        manifest = opened.resolve(backup)
        opener = partial(_open, repository, database or manifest.database, uri_file, key_file)
        with opener() as (target, _):
            if plan:
                planned = plan_restore(request, manifest, opened, target)
            else:
                with kept_for_reading(opened.store, now, f"restore of {manifest.backup_id}", stop, shown.warn):
                    opened.resolve(manifest.backup_id)  # a prune may have been faster than our lock
                    crew = processes.crew(partial(restore_work, opener))
                    outcome = restore(request, manifest, opened, target, shown, now, stop, crew=crew)
                    require_equal(outcome)
    if plan:
        show_plan(planned, json=json)
    else:
        show_outcome(outcome, manifest, target.database, json=json)


@contextmanager
def _open(
    repository: str, database: str, uri_file: Path | None, key_file: Path | None
) -> Iterator[tuple[Target, Repository]]:
    """In this process, and again in each that helps it."""
    uri, origin = uri_needed(uri_file)
    with (
        closing(open_target(uri, database, origin=origin)) as target,
        closing(repository_at(repository, uri_file, key_file)) as opened,
    ):
        yield target, opened
