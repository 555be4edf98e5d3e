"""``holdfast export``."""

import sys
from contextlib import closing
from pathlib import Path
from typing import IO, Annotated

import typer

from holdfast.cli.console import print_json, progress
from holdfast.cli.options import Backup, Json, KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals
from holdfast.domain.human import human_bytes
from holdfast.dump.json_file import default_name
from holdfast.errors import EXIT_PARTIAL, InvalidSpec
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services.export import ExportFormat, ExportOutcome, ExportRequest, export_kept
from holdfast.wiring.opening import now

STREAM = "-"


def export_backup(
    backup: Backup,
    repository: RepositoryOption,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="mongodump's archive or directory, or one file of Extended JSON."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="PATH",
            help="What to write; - is standard output. For json, DATABASE-backup-DATE.json if it is left out.",
        ),
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress, as mongorestore --gzip takes it.")] = False,
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
    """Write a backup as mongorestore takes it, or as JSON. Nothing is written over."""
    stop = stop_on_signals()
    if output == STREAM and (json or form is ExportFormat.DIRECTORY):
        raise InvalidSpec(
            "Standard output takes an archive or JSON documents, and nothing beside them.",
            hint="Name a path with --output.",
        )
    with closing(repository_at(repository, uri_file, key_file)) as opened, progress() as shown:
        opened.open()
        manifest = opened.resolve(backup)
        place = _place(output, form, manifest, gzip=gzip)
        request = ExportRequest(form, place, gzip, tuple(include or ()), tuple(exclude or ()))
        outcome = export_kept(request, manifest, opened, shown, stop, now)
    if json:
        print_json(_as_json(manifest, form, place, outcome))
    else:
        _tell(manifest, place, outcome)
    if outcome.skipped:
        raise typer.Exit(EXIT_PARTIAL)


def export_from(opened: Repository, backup: str, form: ExportFormat, output: str | None, *, gzip: bool) -> None:
    """Write all of a backup of an open repository, and say so. Exit code 3 if the backup does not hold all."""
    stop = stop_on_signals()
    opened.open()
    manifest = opened.resolve(backup)
    place = _place(output, form, manifest, gzip=gzip)
    with progress() as shown:
        outcome = export_kept(ExportRequest(form, place, gzip), manifest, opened, shown, stop, now)
    _tell(manifest, place, outcome)
    if outcome.skipped:
        raise typer.Exit(EXIT_PARTIAL)


def _tell(manifest: Manifest, place: Path | IO[bytes], outcome: ExportOutcome) -> None:
    if isinstance(place, Path):
        typer.echo(
            f"{manifest.backup_id}: {len(outcome.collections)} collections, {outcome.documents} documents "
            f"({human_bytes(outcome.logical_bytes)}) exported to {place}"
        )
        for name in outcome.skipped:
            typer.echo(f"NOT exported: {name}: the backup does not hold it")


def _place(output: str | None, form: ExportFormat, manifest: Manifest, *, gzip: bool) -> Path | IO[bytes]:
    if output == STREAM:
        return sys.stdout.buffer
    if output:
        return Path(output)
    if form is not ExportFormat.JSON:
        raise InvalidSpec(f"No place for the {form.value} is given.", hint="Name it with --output PATH.")
    return Path(default_name(manifest.database, manifest.start_time) + (".gz" if gzip else ""))


def _as_json(
    manifest: Manifest, form: ExportFormat, place: Path | IO[bytes], outcome: ExportOutcome
) -> dict[str, object]:
    return {
        "backupId": manifest.backup_id,
        "database": manifest.database,
        "format": form.value,
        "output": str(place),
        "documents": outcome.documents,
        "logicalBytes": outcome.logical_bytes,
        "collections": [
            {"name": c.name, "documents": c.documents, "bytes": c.logical_bytes} for c in outcome.collections
        ],
        "skipped": list(outcome.skipped),
        "warnings": list(outcome.warnings),
    }
