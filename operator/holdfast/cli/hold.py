"""``holdfast hold``."""

from contextlib import closing
from typing import Annotated

import typer

from holdfast.cli.options import Backup, KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals
from holdfast.errors import BackupNotFound
from holdfast.repository.holds import Holder, held_ids, hold, release
from holdfast.repository.locks import LockKind, locked
from holdfast.wiring.opening import now


def hold_backup(
    backup: Backup,
    repository: RepositoryOption,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever asks later. It is not encrypted.")
    ] = "",
    let_go: Annotated[bool, typer.Option("--release", help="Let it go again, whoever holds it.")] = False,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
) -> None:
    """Keep a backup for ever: no prune removes it, in whichever cluster, until it is released."""
    stop = stop_on_signals()
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        opened.open()
        # Not beside a prune: it may have decided already.
        with locked(opened.store, now, LockKind.SHARED, "hold", stop):
            backup_id = opened.resolve(backup).backup_id
            if let_go and backup_id not in held_ids(opened.store):
                raise BackupNotFound(f"Backup {backup_id} is not held.", hint="Nothing was changed.")
            if let_go:
                for holder in Holder:
                    release(opened.store, backup_id, holder)
            else:
                hold(opened.store, backup_id, Holder.PERSON, reason, now())
    typer.echo(f"{backup_id} {'may be pruned again' if let_go else 'is held'}.")
