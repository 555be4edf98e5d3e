"""``holdfast show``."""

from contextlib import closing

import typer

from holdfast.cli.console import print_json, print_table
from holdfast.cli.options import Backup, Json, KeyFile, RepositoryOption, UriFile, repository_at
from holdfast.cli.report import backup_report
from holdfast.domain.human import human_bytes
from holdfast.repository.manifest import timestamp


def show(
    backup: Backup, repository: RepositoryOption, uri_file: UriFile = None, key_file: KeyFile = None, json: Json = False
) -> None:
    """Show one backup: when, from where, how consistent, and each collection."""
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        opened.open()
        manifest = opened.resolve(backup)
    if json:
        print_json(backup_report(manifest))
        return
    server = manifest.server
    at = manifest.consistency.cluster_time
    for name, value in (
        ("Backup", manifest.backup_id),
        (
            "Policy",
            f"{manifest.policy.namespace}/{manifest.policy.name}".strip("/") if manifest.policy else "-",
        ),
        ("Database", manifest.database),
        ("Server", f"MongoDB {server.version}, {server.topology}"),
        ("Started", timestamp(manifest.start_time)),
        ("Completed", timestamp(manifest.completion_time)),
        ("Consistency", manifest.consistency.level.value + (f" at cluster time {at}" if at else "")),
        ("Documents", str(manifest.documents)),
        ("Size", human_bytes(manifest.logical_bytes)),
        ("Stored", f"{human_bytes(manifest.stored_bytes)}, of which new {human_bytes(manifest.new_bytes)}"),
    ):
        typer.echo(f"{name + ':':<13}{value}")
    if manifest.changes:
        typer.echo(f"{'Changes:':<13}{manifest.changes.documents} writes during the backup, which a restore repeats")
    for warning in manifest.warnings:
        typer.echo(f"{'Warning:':<13}{warning}")
    for collection in manifest.collections:
        for note in collection.notes:
            typer.echo(f"{'Note:':<13}{collection.name}: {note}")
    typer.echo("")
    print_table(
        ("COLLECTION", "TYPE", "DOCUMENTS", "SIZE", "STORED", "NEW", "CHUNKS", "INDEXES", "STATE"),
        (
            (
                c.name,
                c.type,
                str(c.documents),
                human_bytes(c.logical_bytes),
                human_bytes(c.stored_bytes),
                human_bytes(c.new_bytes),
                str(c.chunks),
                str(len(c.indexes)),
                f"FAILED: {c.error}" if c.error else "complete",
            )
            for c in manifest.collections
        ),
    )
