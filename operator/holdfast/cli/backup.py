"""``holdfast backup``."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Annotated

import typer

from holdfast.cli.console import print_json, progress
from holdfast.cli.options import Json, KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals, uri_needed
from holdfast.cli.report import backup_report
from holdfast.domain.consistency import Consistency
from holdfast.domain.human import human_bytes
from holdfast.domain.pace import SLOWEST
from holdfast.errors import EXIT_PARTIAL, DamagedBackup
from holdfast.ports import Member, Source
from holdfast.processes import Processes
from holdfast.repository.manifest import PolicyIdentity
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.services.back_up import back_up
from holdfast.services.backup_request import BackupRequest
from holdfast.services.read_segment import segment_work
from holdfast.services.verify import verify
from holdfast.wiring.opening import LEVEL, now, open_source


def backup(
    repository: RepositoryOption,
    database: Annotated[
        str | None, typer.Option("--database", metavar="DB", help="Which database; else the one in the URI.")
    ] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", metavar="NAME", help="A name or glob; may be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Leave these out; may be repeated.")
    ] = None,
    policy: Annotated[str | None, typer.Option("--policy", metavar="NAME", help="Recorded with the backup.")] = None,
    consistency: Annotated[
        Consistency, typer.Option("--consistency", help="What to do where no snapshot can be had.")
    ] = Consistency.PREFERRED,
    read_preference: Annotated[
        str, typer.Option("--read-preference", help="Which member to read from.")
    ] = "secondaryPreferred",
    max_bytes_per_second: Annotated[
        int | None,
        typer.Option("--max-bytes-per-second", min=SLOWEST, help="Read no faster than this, to spare the database."),
    ] = None,
    level: Annotated[int, typer.Option("--level", min=1, max=19, help="zstd level.")] = LEVEL,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Take a backup, verify that all of it is in the repository, and print what it holds."""
    stop = stop_on_signals()
    opener = partial(_open, repository, database, read_preference, level, uri_file, key_file)
    with Processes(polite=True) as processes, opener() as (source, opened), progress() as shown:
        crew = processes.crew(partial(segment_work, partial(opener, member=source.member), now))
        started = now()
        request = BackupRequest(
            backup_id=new_backup_id(started, token_hex(16)),
            policy=PolicyIdentity(namespace="", name=policy) if policy else None,
            include=tuple(collection or ()),
            exclude=tuple(exclude or ()),
            consistency=consistency,
            started=started,
            max_bytes_per_second=max_bytes_per_second,
        )
        outcome = back_up(request, source, opened, shown, now, stop, crew)
        shown.phase("Verifying")
        report = verify(opened, outcome.manifest, stop=stop)
    if not report.good:
        raise DamagedBackup(
            f"Backup {request.backup_id} did not pass its verification: {' '.join(report.problems[:3])}",
            hint="Do not rely on it; check the repository and take another one.",
        )
    manifest = outcome.manifest
    if json:
        print_json(backup_report(manifest))
    else:
        typer.echo(
            f"{manifest.backup_id}: {manifest.documents} documents, {human_bytes(manifest.logical_bytes)}, stored "
            f"{human_bytes(manifest.stored_bytes)} ({human_bytes(manifest.new_bytes)} new), "
            f"consistency {manifest.consistency.level.value}"
        )
        for failed in (c for c in manifest.collections if c.error):
            typer.echo(f"NOT backed up: {failed.name}: {failed.error}")
    if manifest.partial:
        raise typer.Exit(EXIT_PARTIAL)


@contextmanager
def _open(
    repository: str,
    database: str | None,
    read_preference: str,
    level: int,
    uri_file: Path | None,
    key_file: Path | None,
    member: Member | None = None,
) -> Iterator[tuple[Source, Repository]]:
    """In this process, and again in each that helps it."""
    uri, origin = uri_needed(uri_file)
    with (
        closing(open_source(uri, database, origin=origin, read_preference=read_preference, member=member)) as source,
        closing(repository_at(repository, uri_file, key_file, database=source.database, level=level)) as opened,
    ):
        yield source, opened
