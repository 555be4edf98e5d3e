"""``holdfast restore``."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.console import print_json, progress
from holdfast.cli.options import (
    Backup,
    Json,
    KeyFile,
    RepositoryOption,
    UriFile,
    repository_at,
    stop_on_signals,
    uri_needed,
)
from holdfast.domain.human import human_bytes
from holdfast.errors import EXIT_PARTIAL
from holdfast.ports import Target
from holdfast.processes import Processes
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.repository import Repository
from holdfast.services.restore import RestoreRequest, require_equal, restore
from holdfast.services.restore_work import restore_work
from holdfast.wiring import now, open_target


def restore_backup(
    backup: Backup,
    repository: RepositoryOption,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="DB", help="Restore into this database; else the original's name."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="GLOB", help="Only these collections; may be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Leave these out; may be repeated.")
    ] = None,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Restore a backup into a database without collections of the same names, and prove that it is the same."""
    stop = stop_on_signals()
    with (
        Processes() as processes,
        closing(repository_at(repository, uri_file, key_file)) as opened,
        progress() as shown,
    ):
        opened.open()
        manifest = opened.resolve(backup)
        opener = partial(_open, repository, database or manifest.database, uri_file, key_file)
        with (
            opener() as (target, _),
            kept_for_reading(opened.store, now, f"restore of {manifest.backup_id}", stop, shown.warn),
        ):
            request = RestoreRequest(tuple(include or ()), tuple(exclude or ()))
            crew = processes.crew(partial(restore_work, opener))
            outcome = restore(request, manifest, opened, target, shown, stop, crew)
            require_equal(outcome)
    documents = sum(c.documents for c in outcome.collections)
    if json:
        print_json(
            {
                "backupId": manifest.backup_id,
                "database": target.database,
                "documents": documents,
                "logicalBytes": sum(c.bytes for c in outcome.collections),
                "verified": True,
                "collections": [
                    {"name": c.name, "documents": c.documents, "bytes": c.bytes, "indexes": c.indexes}
                    for c in outcome.collections
                ],
                "skipped": list(outcome.skipped),
            }
        )
    else:
        size = human_bytes(sum(c.bytes for c in outcome.collections))
        typer.echo(
            f"{manifest.backup_id}: {len(outcome.collections)} collections, {documents} documents ({size}) restored "
            f"into {target.database!r}, compared, and equal to the backup"
        )
        for name in outcome.skipped:
            typer.echo(f"NOT restored: {name}: the backup does not hold it")
    if outcome.skipped:
        raise typer.Exit(EXIT_PARTIAL)


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
