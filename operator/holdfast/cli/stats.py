"""``holdfast stats``."""

from contextlib import closing

import typer

from holdfast.cli.console import print_json, print_warning
from holdfast.cli.options import Json, KeyFile, RepositoryOption, UriFile, repository_at
from holdfast.domain.human import human_bytes
from holdfast.errors import EXIT_PARTIAL, DamagedBackup
from holdfast.services.totals import Totals, totals


def stats(repository: RepositoryOption, uri_file: UriFile = None, key_file: KeyFile = None, json: Json = False) -> None:
    """Tell what all backups of a repository take up, and how much they share. Exit code 3 if one cannot be read."""
    damaged: list[DamagedBackup] = []
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        opened.open()
        manifests = list(opened.manifests(damaged.append))
        found = totals(opened, manifests, len(damaged))
    for damage in damaged:
        print_warning(str(damage))
    if json:
        print_json(
            {
                "backups": found.backups,
                "logicalBytes": found.logical_bytes,
                "uniqueBytes": found.unique_bytes,
                "storedBytes": found.stored_bytes,
                "chunks": found.chunks,
                "sharing": round(found.sharing, 2),
                "compression": round(found.compression, 2),
                "reuse": round(found.reuse, 2),
                "damaged": found.damaged,
            }
        )
    else:
        for name, value in (
            ("Backups", str(found.backups)),
            ("Size", f"{human_bytes(found.logical_bytes)}, if nothing were shared"),
            ("Unique", f"{human_bytes(found.unique_bytes)} in {found.chunks} chunks"),
            ("Stored", human_bytes(found.stored_bytes)),
            ("Sharing", f"{found.sharing:.1f} to 1"),
            ("Compression", f"{found.compression:.1f} to 1"),
            ("Reuse", f"{found.reuse:.1f} to 1, both together"),
        ):
            typer.echo(f"{name + ':':<13}{value}")
        if found.damaged:
            typer.echo(f"{'Damaged:':<13}{found.damaged} more backups cannot be read: see holdfast verify")
    if found.damaged:
        raise typer.Exit(EXIT_PARTIAL)


def summary(found: Totals) -> str:
    """One line."""
    backups = "1 backup" if found.backups == 1 else f"{found.backups} backups"
    broken = f"; {found.damaged} more cannot be read" if found.damaged else ""
    return (
        f"{backups}: {human_bytes(found.logical_bytes)}, stored in {human_bytes(found.stored_bytes)} "
        f"({found.reuse:.1f} to 1: {found.sharing:.1f} by sharing, {found.compression:.1f} by compression){broken}"
    )
