"""``kubectl holdfast download``: a backup as a file on this machine, read from its repository."""

from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.export import STREAM, export_from
from holdfast.cli.plugin.options import LISTS_POLICIES, LISTS_RUNS, Context, Kubeconfig, Namespace, person
from holdfast.errors import BackupNotFound, InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.storage import VolumeStorage
from holdfast.services.export import ExportFormat
from holdfast.services.write_status import parse_policy
from holdfast.specs.store_access import claim_words
from holdfast.wiring.policies import repository_by_secrets

if TYPE_CHECKING:
    from holdfast.kube.person import Person


def download(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Name of a BackupRun; or bp/POLICY for its newest good backup.")
    ],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="One file of Extended JSON, or mongodump's archive or directory.")
    ] = ExportFormat.JSON,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="PATH", help="What to write; - is standard output. Default: DATABASE-backup-DATE.json."
        ),
    ] = None,
    gzip: Annotated[bool, typer.Option("--gzip", help="Compress, as mongorestore --gzip takes it.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Write a backup into a file here. Needs the right to read the policy's Secrets, and a way to its store."""
    if to == STREAM and form is ExportFormat.DIRECTORY:
        raise InvalidSpec("Standard output takes an archive or JSON documents.", hint="Name a path with --to.")
    me = person(kubeconfig, context)
    place = namespace or me.namespace
    policy, backup_id = _backup_of(me, place, run)
    storage = policy.spec.storage.chosen
    if isinstance(storage, VolumeStorage):
        raise InvalidSpec(
            f"The backups lie in {claim_words(policy, storage)}, which only pods can reach.",
            hint=_elsewhere(backup_id, policy.metadata.name),
        )
    hint = _elsewhere(backup_id, policy.metadata.name)
    with repository_by_secrets(me.cluster, policy, who="You", hint=hint) as opened:
        export_from(opened, backup_id, form, to, gzip=gzip)


def _backup_of(me: "Person", place: str, run: str) -> tuple[BackupPolicy, str]:
    kind, _, name = run.rpartition("/")
    if kind not in ("", "br", "bp"):
        raise InvalidSpec(f"{kind}/ has no backups.", hint="There are br/RUN and bp/POLICY.")
    if kind == "bp":
        body = me.need(BACKUP_POLICY, place, name, hint=LISTS_POLICIES)
        backup_id = (body.get("status", {}).get("lastSuccessfulRun") or {}).get("backupId")
        hint = "It has no good backup yet."
    else:
        found = me.need(BACKUP_RUN, place, name, hint=LISTS_RUNS)
        body = me.need(BACKUP_POLICY, place, found["spec"]["policyRef"]["name"], hint=LISTS_POLICIES)
        told = found.get("status", {})
        backup_id = None if told.get("pruneTime") else told.get("backupId")
        hint = "It was pruned." if told.get("pruneTime") else f"The run is {told.get('phase', 'Pending')}."
    if not backup_id:
        raise BackupNotFound(f"{run} in namespace {place} has no backup.", hint=hint)
    return parse_policy(body), str(backup_id)


def _elsewhere(backup_id: str, policy: str) -> str:
    return (
        f"Restore it into a database that you can read: kubectl holdfast restore {policy} --backup {backup_id} "
        "--database OTHER --apply."
    )
