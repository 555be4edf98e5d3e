"""``holdfast stats``."""

from contextlib import closing

import typer

from holdfast.cli.console import print_json
from holdfast.cli.options import Json, KeyFile, RepositoryOption, UriFile, repository_at
from holdfast.domain.human import human_bytes
from holdfast.errors import EXIT_PARTIAL
from holdfast.services.totals import Totals, totals


def stats(repository: RepositoryOption, uri_file: UriFile = None, key_file: KeyFile = None, json: Json = False) -> None:
    """Tell what all backups of a repository take up, and how much they share."""
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        opened.open()
        found = totals(opened)
    if json:
        print_json(
            {
                "backups": found.backups,
                "logicalBytes": found.logical_bytes,
                "storedBytes": found.stored_bytes,
                "chunks": found.chunks,
                "reuse": round(found.reuse, 2),
                "damaged": found.damaged,
            }
        )
    else:
        typer.echo(summary(found))
    if found.damaged:
        raise typer.Exit(EXIT_PARTIAL)


def summary(found: Totals) -> str:
    """One line."""
    broken = f"; {found.damaged} cannot be read" if found.damaged else ""
    return (
        f"{found.backups} backups of {human_bytes(found.logical_bytes)} take up {human_bytes(found.stored_bytes)} in "
        f"{found.chunks} chunks: {found.reuse:.1f} to 1{broken}"
    )
