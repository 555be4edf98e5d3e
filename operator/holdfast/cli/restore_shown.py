"""How ``holdfast restore`` prints its plan, and what came of it."""

import typer

from holdfast.cli.console import print_json, print_table, print_warning
from holdfast.domain.human import human_bytes
from holdfast.errors import EXIT_PARTIAL, InvalidInput
from holdfast.repository.manifest import Manifest
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_plan import RestorePlan


def show_plan(plan: RestorePlan, *, json: bool) -> None:
    """With its exit code, where it would be refused."""
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


def show_outcome(outcome: RestoreOutcome, manifest: Manifest, database: str, *, json: bool) -> None:
    """With its exit code, where the backup did not hold all that was wanted."""
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
