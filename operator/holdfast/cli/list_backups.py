"""``holdfast list``."""

from collections.abc import Iterator, Mapping
from contextlib import closing

import typer

from holdfast.cli.console import print_json, print_table, print_warning
from holdfast.cli.options import Json, KeyFile, RepositoryOption, UriFile, repository_at
from holdfast.cli.report import backup_report
from holdfast.cli.stats import summary
from holdfast.domain.human import human_bytes
from holdfast.errors import EXIT_PARTIAL, DamagedBackup
from holdfast.ports import ClusterTime
from holdfast.repository.manifest import Manifest, timestamp
from holdfast.services.reach import last_whole_second, replayable, time_of_backup, told
from holdfast.services.totals import totals

HEADER = ("BACKUP", "DATABASE", "POLICY", "COMPLETED", "DOCUMENTS", "SIZE", "STORED", "NEW", "CONSISTENCY", "STATE")


def list_backups(
    repository: RepositoryOption, uri_file: UriFile = None, key_file: KeyFile = None, json: Json = False
) -> None:
    """List the backups of a repository, newest first. Exit code 3 if the manifest of one cannot be read."""
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        opened.open()
        damaged: list[DamagedBackup] = []
        manifests = list(opened.manifests(damaged.append))
        replays = replayable(opened, manifests)
        found = None if json else totals(opened, manifests, len(damaged))
    for damage in damaged:
        print_warning(str(damage))
    if json:
        print_json([_as_json(manifest, replays.get(manifest.backup_id)) for manifest in manifests])
    else:
        print_table(HEADER, (_row(manifest) for manifest in manifests))
        if found and manifests:
            typer.echo(f"\n{summary(found)}")
        for line in _windows(manifests, replays):
            typer.echo(line)
    if damaged:
        raise typer.Exit(EXIT_PARTIAL)


def _as_json(manifest: Manifest, until: ClusterTime | None) -> dict[str, object]:
    whole = told(last_whole_second(until)) if until else None
    return backup_report(manifest) | {"pointInTimeUntil": whole}


def _windows(manifests: list[Manifest], replays: Mapping[str, ClusterTime]) -> Iterator[str]:
    """From when to when any second can be restored: a line for each stretch without a gap."""
    since: dict[tuple[str, ClusterTime], ClusterTime] = {}
    for one in manifests:
        if until := replays.get(one.backup_id):
            stretch, time = (one.database, until), time_of_backup(one)
            since[stretch] = min(time, since.get(stretch, time))
    for (database, until), begin in sorted(since.items()):
        last = last_whole_second(until)
        if begin <= last:
            yield f"{database}: any second from {told(begin)} to {told(last)}, with `restore --point-in-time`"


def _row(manifest: Manifest) -> tuple[str, ...]:
    return (
        manifest.backup_id,
        manifest.database,
        "/".join(filter(None, (manifest.policy.namespace, manifest.policy.name))) if manifest.policy else "-",
        timestamp(manifest.completion_time),
        str(manifest.documents),
        human_bytes(manifest.logical_bytes),
        human_bytes(manifest.stored_bytes),
        human_bytes(manifest.new_bytes),
        manifest.consistency.level.value,
        "partial" if manifest.partial else "complete",
    )
