"""``holdfast verify``."""

from contextlib import closing
from typing import Annotated

import typer

from holdfast.cli.console import human_bytes, print_json, print_warning
from holdfast.cli.options import Backup, Json, KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals
from holdfast.errors import DamagedBackup
from holdfast.repository.locks import kept_for_reading
from holdfast.services.verify import verify
from holdfast.wiring import now


def verify_backup(
    backup: Backup,
    repository: RepositoryOption,
    read_data: Annotated[bool, typer.Option("--read-data", help="Read every chunk and prove what it holds.")] = False,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Prove that a backup is whole: every chunk is there; with --read-data, each holds what it held."""
    stop = stop_on_signals()
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        opened.open()
        manifest = opened.resolve(backup)
        with kept_for_reading(opened.store, now, f"verification of {manifest.backup_id}", stop, print_warning):
            report = verify(opened, manifest, read_data=read_data, stop=stop)
    if json:
        print_json(
            {
                "backupId": manifest.backup_id,
                "good": report.good,
                "chunks": report.chunks,
                "bytesRead": report.bytes_read,
                "problems": list(report.problems),
            }
        )
    elif report.good:
        how = f"{human_bytes(report.bytes_read)} read and proven" if read_data else "all there (not read)"
        typer.echo(f"{manifest.backup_id}: good; {report.chunks} chunks, {how}")
    if not report.good:
        raise DamagedBackup(
            f"Backup {manifest.backup_id} is damaged: {' '.join(report.problems[:10])}",
            hint=f"{len(report.problems)} problems in all. Restore another backup, and take a new one.",
        )
