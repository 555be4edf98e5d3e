"""What a mail tells of a restore, as plain facts."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.domain.notifications import Event
from holdfast.domain.phases import CollectionPhase, RestorePhase
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.specs.letters import RUNS_SHOWN, SHOWN, moment_words, sentence, zone_of

_OUTCOMES = {RestorePhase.SUCCEEDED: ("good", "Succeeded"), RestorePhase.FAILED: ("bad", "Failed")}


def event_of_restore(phase: RestorePhase | None) -> Event | None:
    """What the end of a restore is to people. None for one that was cancelled: whoever did it knows."""
    return {RestorePhase.SUCCEEDED: Event.RESTORE_SUCCEEDED, RestorePhase.FAILED: Event.RESTORE_FAILED}.get(
        phase or RestorePhase.PENDING
    )


def restore_facts(
    policy: BackupPolicy, database: str, run: RestoreRun, others: Sequence[RestoreRun]
) -> Mapping[str, Any]:
    """Given the newest restore that a mail tells of, and the other ones, newest first: under the names that the mails
    about runs have."""
    namespace, name, zone = policy.metadata.namespace, policy.metadata.name, zone_of(policy)
    status = run.status
    good = status.phase is RestorePhase.SUCCEEDED
    failed = [item for item in status.collections if item.phase is CollectionPhase.FAILED]
    return {
        "subject": f"Restore of {database} {'succeeded' if good else 'FAILED'} ({namespace}/{name})",
        "preview": sentence(status.message)[:120],
        "outcome": _outcome(run)[0],
        "policy": name,
        "namespace": namespace,
        "database": database,
        "failed_title": "Collections that were not restored",
        "run": {
            "message": sentence(status.message),
            "failed_collections": [(item.name, sentence(item.error)) for item in failed[:SHOWN]],
            "warnings": [sentence(warning) for warning in status.warnings[:SHOWN]],
        },
        "rows": _rows(run, zone),
        "others": [_short(one, zone) for one in others[:RUNS_SHOWN]],
        "more": max(0, len(others) - RUNS_SHOWN),
        "commands": [
            f"kubectl describe restorerun {run.metadata.name} --namespace {namespace}",
            f"kubectl get events --for restorerun/{run.metadata.name} --namespace {namespace}",
        ],
    }


def _rows(run: RestoreRun, zone: ZoneInfo) -> list[tuple[str, Any]]:
    status = run.status
    proof = status.verification
    return [
        ("Restore", f"{run.metadata.namespace}/{run.metadata.name}"),
        ("Reason", status.reason if status.phase is not RestorePhase.SUCCEEDED else None),
        ("Backup", status.backup_id),
        ("Into", status.database),
        ("Ended", moment_words(status.completion_time, zone)),
        ("Took", status.duration),
        ("Documents", f"{status.documents:,}" if status.documents is not None else None),
        ("Compared", proof.result if proof else None),
        ("The way back", status.pre_restore_backup_id),
    ]


def _short(run: RestoreRun, zone: ZoneInfo) -> Mapping[str, str]:
    outcome, text = _outcome(run)
    good = run.status.phase is RestorePhase.SUCCEEDED
    return {
        "name": run.metadata.name,
        "outcome": outcome,
        "outcome_text": text,
        "ended": moment_words(run.status.completion_time, zone),
        "message": "" if good else sentence(run.status.message)[:160],
    }


def _outcome(run: RestoreRun) -> tuple[str, str]:
    return _OUTCOMES.get(run.status.phase or RestorePhase.PENDING, ("none", ""))
