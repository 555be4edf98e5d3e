"""``holdfast import``."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.console import print_json, progress
from holdfast.cli.options import Json, KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals
from holdfast.cli.report import backup_report
from holdfast.domain.human import human_bytes
from holdfast.dump.opening import DumpFormat, format_of, open_dump, written_at
from holdfast.services.import_dump import ImportRequest, import_dump
from holdfast.wiring.opening import LEVEL, now


def import_backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="An archive or a directory that mongodump wrote.")],
    repository: RepositoryOption,
    form: Annotated[
        DumpFormat | None, typer.Option("--format", help="Of the dump; found out if it is left out.")
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", metavar="DB", help="Which one, if the dump holds several.")
    ] = None,
    level: Annotated[int, typer.Option("--level", min=1, max=19, help="zstd level.")] = LEVEL,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Make a backup of a dump. It bears the time of the dump's files; compression is found out."""
    stop = stop_on_signals()
    form = form or format_of(path)
    with (
        closing(repository_at(repository, uri_file, key_file, level=level)) as opened,
        closing(open_dump(path, form)) as dump,
        progress() as shown,
    ):
        request = ImportRequest(form.value, written_at(path), database)
        manifest = import_dump(request, dump, opened, shown, now, stop)
    if json:
        print_json(backup_report(manifest))
    else:
        typer.echo(
            f"{manifest.backup_id}: {manifest.documents} documents, {human_bytes(manifest.logical_bytes)}, stored "
            f"{human_bytes(manifest.stored_bytes)} ({human_bytes(manifest.new_bytes)} new), imported from {path}"
        )
