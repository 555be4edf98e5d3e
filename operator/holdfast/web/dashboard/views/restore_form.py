"""What somebody may fill in before a restore is planned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.domain.phases import Phase
from holdfast.domain.restoring import Existing, Strategy
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.web.dashboard.views.moments import Moments, moments

LATEST = "latest"
EXISTING = (
    (Existing.FAIL, "Do nothing at all if a collection is there already"),
    (Existing.DROP, "Replace collections that are there; they are backed up before"),
    (Existing.MERGE, "Add the documents that are missing, and report those that differ"),
)
"""The one that does no harm first."""
STRATEGIES = (
    (Strategy.AUTO, "As it fits: aside first where the database is not empty"),
    (Strategy.SWAP, "Aside first, then renamed into place: nobody reads half a restore"),
    (Strategy.DIRECT, "Straight into place, collection by collection"),
)


@dataclass(frozen=True)
class StoredBackup:
    backup_id: str
    time: datetime | None
    run: str
    stored_bytes: int | None
    partial: bool


@dataclass(frozen=True)
class RestoreFormView:
    namespace: str
    policy: str
    latest: str
    backups: tuple[StoredBackup, ...]
    """Newest first."""
    chosen: str
    moments: Moments | None
    moment: str
    database: str
    existing: Existing
    choices: tuple[tuple[Existing, str], ...]
    include: str
    exclude: str
    rename: str
    strategy: Strategy
    strategies: tuple[tuple[Strategy, str], ...]
    secret: str
    detailed: bool
    """Something beyond the usual was filled in."""


def restore_form(policy: BackupPolicy, runs: Sequence[BackupRun], given: Mapping[str, str]) -> RestoreFormView:
    """``runs``: all of the policy, newest first. ``given``: what was filled in; ``run``: whose backup it is."""
    stored = [run for run in runs if run.stored]
    wanted = next((run.status.backup_id for run in stored if run.metadata.name == given.get("run")), None)
    database = next((run.status.database for run in stored if run.status.database), policy.spec.source.database)
    strategy = next((one for one in Strategy if one == given.get("strategy")), Strategy.AUTO)
    texts = {name: given.get(name, "") for name in ("include", "exclude", "rename")}
    secret = given.get("uri_secret", "")
    return RestoreFormView(
        namespace=policy.metadata.namespace,
        policy=policy.metadata.name,
        latest=LATEST,
        backups=tuple(
            StoredBackup(
                backup_id=run.status.backup_id or "",
                time=run.status.start_time,
                run=run.metadata.name,
                stored_bytes=run.status.stored_bytes,
                partial=run.status.phase is Phase.PARTIALLY_FAILED,
            )
            for run in stored
        ),
        chosen=given.get("backup") or wanted or LATEST,
        moments=moments(policy),
        moment=given.get("moment", ""),
        database=given.get("database", database or ""),
        existing=next((one for one in Existing if one == given.get("existing")), Existing.FAIL),
        choices=EXISTING,
        **texts,
        strategy=strategy,
        strategies=STRATEGIES,
        secret=secret,
        detailed=strategy is not Strategy.AUTO or bool(secret) or any(texts.values()),
    )
