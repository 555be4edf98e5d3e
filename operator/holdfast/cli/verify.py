"""``holdfast verify``."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.console import print_json, print_warning
from holdfast.cli.options import Json, KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals
from holdfast.domain.human import human_bytes
from holdfast.errors import DamagedBackup
from holdfast.processes import Processes
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.repository import Repository
from holdfast.services.verify import VerifyReport, proving_work, verify, verify_all
from holdfast.wiring.opening import now

_SHOWN = 20


def verify_backup(
    repository: RepositoryOption,
    backup: Annotated[
        str | None, typer.Argument(metavar="[BACKUP]", help="An id, a prefix of one, or latest; else all backups.")
    ] = None,
    read_data: Annotated[bool, typer.Option("--read-data", help="Read every chunk and prove what it holds.")] = False,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Prove that backups are whole: every chunk is there; with --read-data, each holds what it held."""
    stop = stop_on_signals()
    opener = partial(_open, repository, uri_file, key_file)
    with Processes() as processes, opener() as opened:
        opened.open()
        crew = processes.crew(partial(proving_work, opener))
        manifest = opened.resolve(backup) if backup else None
        name = manifest.backup_id if manifest else "the repository"
        with kept_for_reading(opened.store, now, f"verification of {name}", stop, print_warning):
            if manifest:
                opened.resolve(manifest.backup_id)  # a prune may have been faster than our lock
                report = verify(opened, manifest, read_data=read_data, stop=stop, crew=crew)
            else:
                report = verify_all(opened, read_data=read_data, stop=stop, crew=crew)
    if json:
        print_json({"backupId": manifest.backup_id if manifest else None, **_as_json(report)})
    elif report.good:
        how = f"{human_bytes(report.bytes_read)} read and proven" if read_data else "all there (not read)"
        typer.echo(f"{name}: good; {report.backups} backups, {report.chunks} chunks, {how}")
    else:
        for damage in report.damage[:_SHOWN]:
            typer.echo(f"DAMAGED: {damage.problem} Needed by {', '.join(damage.backups)}.")
    if not report.good:
        touched = {backup_id for damage in report.damage for backup_id in damage.backups}
        raise DamagedBackup(
            f"Verification of {name} found damage in {len(report.damage)} places; it touches {len(touched)} backups.",
            hint="Do not rely on these; restore another one, and take a new backup.",
        )


@contextmanager
def _open(repository: str, uri_file: Path | None, key_file: Path | None) -> Iterator[Repository]:
    """In this process, and again in each that helps it."""
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        yield opened


def _as_json(report: VerifyReport) -> dict[str, object]:
    return {
        "good": report.good,
        "backups": report.backups,
        "chunks": report.chunks,
        "bytesRead": report.bytes_read,
        "damage": [{"problem": damage.problem, "backups": list(damage.backups)} for damage in report.damage],
    }
