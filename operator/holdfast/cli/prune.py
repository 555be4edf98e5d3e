"""``holdfast prune``."""

from contextlib import closing
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from holdfast.cli.console import print_json, print_table, print_warning
from holdfast.cli.options import Json, KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals
from holdfast.domain.duration import parse_duration
from holdfast.domain.human import human_bytes
from holdfast.domain.retention import Rule
from holdfast.errors import EXIT_PARTIAL, InvalidSpec
from holdfast.repository.manifest import timestamp
from holdfast.services.prune import PlannedRemoval, PruneOutcome, plan_prune, prune
from holdfast.wiring.opening import now


def _count(name: str, what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(name, min=0, metavar="N", help=what)
    return option


def prune_repository(
    repository: RepositoryOption,
    keep_last: Annotated[int, _count("--keep-last", "The N newest.")] = 0,
    keep_hourly: Annotated[int, _count("--keep-hourly", "The newest of each of N hours that have one.")] = 0,
    keep_daily: Annotated[int, _count("--keep-daily", "The newest of each of N days that have one.")] = 0,
    keep_weekly: Annotated[int, _count("--keep-weekly", "One about 1 to N weeks old each.")] = 0,
    keep_monthly: Annotated[int, _count("--keep-monthly", "One about 30 days old; N of them, a month apart.")] = 0,
    keep_yearly: Annotated[int, _count("--keep-yearly", "One about a year old; N of them, a year apart.")] = 0,
    keep_within: Annotated[
        str | None,
        typer.Option("--keep-within", metavar="TIME", help="All within 90d, 36h, … of the newest."),
    ] = None,
    min_successful: Annotated[int, _count("--min-successful", "So many good ones always stay; at least 1.")] = 1,
    time_zone: Annotated[str, typer.Option("--time-zone", help="In which days and hours are counted.")] = "Etc/UTC",
    policy: Annotated[
        str | None, typer.Option("--policy", metavar="NAME", help="Only the backups of this policy, NAMESPACE/NAME.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and why; remove nothing.")] = False,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Remove the backups that no rule keeps. The newest good backup of each database always stays."""
    stop = stop_on_signals()
    rule = Rule(
        keep_last, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_yearly,
        parse_duration(keep_within, "--keep-within") if keep_within else None, min_successful,
    )  # fmt: skip
    if rule.empty:
        raise InvalidSpec("No rule says what to keep.", hint="Give one or more of --keep-daily 7, --keep-monthly 1, ….")
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidSpec(f"{time_zone!r} is not a time zone.", hint="Use a name such as Europe/Berlin.") from None
    with closing(repository_at(repository, uri_file, key_file)) as opened:
        opened.open()
        if dry_run:
            outcome = plan_prune(opened, rule, now, zone, policy)
        else:
            outcome = prune(opened, rule, now, zone, policy, stop)
    for damage in outcome.damaged:
        print_warning(f"{damage} It is left alone, and no chunk is removed.")
    if json:
        print_json(_as_json(outcome, dry_run=dry_run))
    else:
        print_table(("BACKUP", "DATABASE", "STARTED", "KEEP", "WHY"), map(_row, outcome.plan))
        typer.echo(_summary(outcome, dry_run=dry_run))
    if outcome.damaged:
        raise typer.Exit(EXIT_PARTIAL)


def _row(entry: PlannedRemoval) -> tuple[str, ...]:
    manifest, decision = entry.manifest, entry.decision
    started = timestamp(manifest.start_time)
    return manifest.backup_id, manifest.database, started, "yes" if decision.keep else "no", ", ".join(decision.reasons)


def _summary(outcome: PruneOutcome, *, dry_run: bool) -> str:
    going = sum(not entry.decision.keep for entry in outcome.plan)
    if dry_run:
        return f"\n{going} of {len(outcome.plan)} backups would be removed. Nothing was changed."
    return (
        f"\n{len(outcome.removed)} of {len(outcome.plan)} backups removed, {outcome.removed_chunks} chunks, "
        f"{human_bytes(outcome.freed_bytes)} freed."
    )


def _as_json(outcome: PruneOutcome, *, dry_run: bool) -> dict[str, object]:
    return {
        "dryRun": dry_run,
        "removed": list(outcome.removed),
        "removedChunks": outcome.removed_chunks,
        "freedBytes": outcome.freed_bytes,
        "damaged": list(outcome.damaged),
        "backups": [
            {
                "backupId": entry.manifest.backup_id,
                "database": entry.manifest.database,
                "startTime": timestamp(entry.manifest.start_time),
                "keep": entry.decision.keep,
                "reasons": list(entry.decision.reasons),
            }
            for entry in outcome.plan
        ],
    }
