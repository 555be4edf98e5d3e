"""``holdfast restore``."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.console import print_json, print_table, print_warning, progress
from holdfast.cli.options import (
    Json,
    KeyFile,
    RepositoryOption,
    UriFile,
    repository_at,
    stop_on_signals,
    uri_needed,
)
from holdfast.cli.restore_to_point import restore_to_point
from holdfast.domain.human import human_bytes
from holdfast.domain.restoring import Existing, Strategy
from holdfast.errors import EXIT_PARTIAL, InvalidInput, InvalidSpec
from holdfast.ports import Target
from holdfast.processes import Processes
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services.plan_restore import plan_restore
from holdfast.services.restore import restore
from holdfast.services.restore_outcome import RestoreOutcome, require_equal
from holdfast.services.restore_plan import RestorePlan
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_work import restore_work
from holdfast.wiring import now, open_target


def restore_backup(
    repository: RepositoryOption,
    backup: Annotated[
        str | None, typer.Argument(metavar="BACKUP", help="An id, a unique prefix of one, or latest.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="DB", help="Restore into this database; else the original's name."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option("--include", metavar="GLOB", help="Only these collections; may be repeated."),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Leave these out; may be repeated.")
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="Give a collection another name; may be repeated."),
    ] = None,
    existing: Annotated[
        Existing,
        typer.Option(
            "--existing",
            case_sensitive=False,
            help="What becomes of collections of the same names. Fail: nothing is done. Drop: they are replaced. "
            "Merge: what is missing is inserted, what differs is told.",
        ),
    ] = Existing.FAIL,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="DB", help="The target's name once more: without it, nothing is dropped."),
    ] = None,
    strategy: Annotated[
        Strategy,
        typer.Option(
            "--strategy",
            case_sensitive=False,
            help="Swap: make ready aside, then rename into place. Direct: write where it belongs. Auto: Swap where the "
            "target is not empty.",
        ),
    ] = Strategy.AUTO,
    point_in_time: Annotated[
        str | None,
        typer.Option(
            "--point-in-time",
            metavar="TIME",
            help="As all was at the end of this second, 2026-11-23T01:59:59Z, or at a cluster time, SECONDS.INCREMENT. "
            "It takes slices of `holdfast archive-oplog`, and an empty target.",
        ),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option("--before-drop", metavar="NAME", help="As all was just before this collection was last dropped."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="DB", help="The database that is meant, where a repository holds several."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what would happen; change nothing.")] = False,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
    json: Json = False,
) -> None:
    """Restore a backup, and prove that it is the same. What is there already stays, unless you say otherwise."""
    stop = stop_on_signals()
    request = RestoreRequest(
        include=tuple(include or ()),
        exclude=tuple(exclude or ()),
        rename=tuple(map(renamed, rename or ())),
        existing=existing,
        strategy=strategy,
        confirm=confirm,
    )
    if point_in_time or drop:
        with closing(repository_at(repository, uri_file, key_file)) as opened:
            restore_to_point(
                backup or "latest", point_in_time, drop, source, database, request,
                lambda name: partial(_open, repository, name, uri_file, key_file),
                opened, uri_file, stop, plan=plan, json=json,
            )  # fmt: skip
        return
    if backup is None:
        raise InvalidSpec("No backup is named.", hint="Give an id, `latest`, or --point-in-time TIME.")
    with (
        Processes() as processes,
        closing(repository_at(repository, uri_file, key_file)) as opened,
        progress() as shown,
    ):
        opened.open()
        manifest = opened.resolve(backup)
        opener = partial(_open, repository, database or manifest.database, uri_file, key_file)
        with opener() as (target, _):
            if plan:
                planned = plan_restore(request, manifest, opened, target)
            else:
                with kept_for_reading(opened.store, now, f"restore of {manifest.backup_id}", stop, shown.warn):
                    opened.resolve(manifest.backup_id)  # a prune may have been faster than our lock
                    crew = processes.crew(partial(restore_work, opener))
                    outcome = restore(request, manifest, opened, target, shown, now, stop, crew=crew)
                    require_equal(outcome)
    if plan:
        _show_plan(planned, json=json)
    else:
        _show_outcome(outcome, manifest, target.database, json=json)


def renamed(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise InvalidSpec(f"--rename {text!r} names no two collections.", hint="Give it as OLD=NEW.")
    return old, new


def _show_plan(plan: RestorePlan, *, json: bool) -> None:
    if json:
        print_json(_plan_as_json(plan))
    else:
        print_table(
            ("COLLECTION", "INTO", "ACTION", "WAY", "DOCUMENTS", "SIZE", "THERE NOW"),
            (
                (
                    one.name, one.target, one.action, str(one.way) if one.action != "skip" else "-",
                    str(one.documents), human_bytes(one.bytes),
                    "-" if one.existing_documents is None else str(one.existing_documents),
                )
                for one in plan.collections
            ),
        )  # fmt: skip
        size = human_bytes(plan.bytes)
        typer.echo(
            f"\n{plan.documents} documents ({size}) into database {plan.database!r}. Strategy: {plan.strategy}. "
            f"{plan.reason_for_strategy} Nothing was changed."
        )
    for warning in plan.warnings:
        print_warning(warning)
    for conflict in plan.conflicts:
        print_warning(f"It would fail: {conflict}")
    if plan.conflicts:
        raise typer.Exit(InvalidInput.exit_code)


def _show_outcome(outcome: RestoreOutcome, manifest: Manifest, database: str, *, json: bool) -> None:
    documents = sum(c.documents for c in outcome.collections)
    if json:
        print_json(_outcome_as_json(outcome, manifest, database))
    else:
        size = human_bytes(sum(c.bytes for c in outcome.collections))
        proven = "each document of the backup is there" if outcome.merged else "compared, and equal to the backup"
        if outcome.repeated:
            proven += f"; then {outcome.repeated} writes were repeated that were done during the backup"
        typer.echo(
            f"{manifest.backup_id}: {len(outcome.collections)} collections, {documents} documents ({size}) restored "
            f"into {database!r}, {proven}"
        )
        for one in outcome.collections:
            if one.merged:
                done = one.merged
                typer.echo(f"{one.name}: {done.inserted} inserted, {done.equal} equal, {done.different} different")
        for name in outcome.skipped:
            typer.echo(f"NOT restored: {name}: the backup does not hold it")
    if outcome.skipped:
        raise typer.Exit(EXIT_PARTIAL)


def _outcome_as_json(outcome: RestoreOutcome, manifest: Manifest, database: str) -> dict[str, object]:
    collections: list[dict[str, object]] = []
    for one in outcome.collections:
        told: dict[str, object] = {
            "name": one.name, "documents": one.documents, "bytes": one.bytes, "indexes": one.indexes
        }  # fmt: skip
        if done := one.merged:
            told["merged"] = {"inserted": done.inserted, "equal": done.equal, "different": done.different}
        collections.append(told)
    return {
        "mode": "Apply",
        "backupId": manifest.backup_id,
        "database": database,
        "strategy": outcome.strategy.value,
        "documents": sum(c.documents for c in outcome.collections),
        "logicalBytes": sum(c.bytes for c in outcome.collections),
        "verified": True,
        "repeated": outcome.repeated,
        "proofSeconds": round(outcome.proof_seconds, 3),
        "collections": collections,
        "skipped": list(outcome.skipped),
        "warnings": list(outcome.warnings),
    }


def _plan_as_json(plan: RestorePlan) -> dict[str, object]:
    return {
        "mode": "Plan",
        "backupId": plan.backup_id,
        "database": plan.database,
        "strategy": plan.strategy.value,
        "strategyReason": plan.reason_for_strategy,
        "documents": plan.documents,
        "logicalBytes": plan.bytes,
        "indexes": plan.indexes,
        "collections": [
            {
                "name": one.name,
                "target": one.target,
                "type": one.type,
                "action": one.action.capitalize(),
                "way": one.way.value,
                "documents": one.documents,
                "bytes": one.bytes,
                "indexes": one.indexes,
                "existingDocuments": one.existing_documents,
                "problem": one.problem,
            }
            for one in plan.collections
        ],
        "conflicts": list(plan.conflicts),
        "warnings": list(plan.warnings),
        "kept": list(plan.kept),
    }


@contextmanager
def _open(
    repository: str, database: str, uri_file: Path | None, key_file: Path | None
) -> Iterator[tuple[Target, Repository]]:
    """In this process, and again in each that helps it."""
    uri, origin = uri_needed(uri_file)
    with (
        closing(open_target(uri, database, origin=origin)) as target,
        closing(repository_at(repository, uri_file, key_file)) as opened,
    ):
        yield target, opened
