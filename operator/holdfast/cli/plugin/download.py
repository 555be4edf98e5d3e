"""``kubectl holdfast download``: a backup as a file on this machine, read from its repository."""

from base64 import b64decode
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.export import STREAM, export_from
from holdfast.cli.plugin.options import LISTS_POLICIES, LISTS_RUNS, Context, Kubeconfig, Namespace, person
from holdfast.errors import BackupNotFound, InvalidSpec, NotAuthorized, SecretMissing
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, SECRET
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.storage import VolumeStorage
from holdfast.services.export import ExportFormat
from holdfast.services.write_status import parse_policy
from holdfast.specs.store_access import MountedSecret, claim_words, mounted_secrets
from holdfast.wiring import repository_of

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
    # A folder that only this user may read, for as long as this takes: as the kubelet does it for the worker.
    with TemporaryDirectory(prefix="holdfast-") as folder:
        for name, mount in mounted_secrets(policy).items():
            _fetch(me, place, mount, Path(folder) / name, hint=_elsewhere(backup_id, policy.metadata.name))
        with closing(repository_of(policy, mounts=Path(folder))) as opened:
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


def _fetch(me: "Person", place: str, mount: MountedSecret, folder: Path, *, hint: str) -> None:
    try:
        secret = me.cluster.get(SECRET, place, mount.name)
    except NotAuthorized as error:
        raise NotAuthorized(
            f"You may not read Secret {place}/{mount.name}, which leads to the backup.", hint=hint
        ) from error
    if secret is None:
        raise SecretMissing(f"There is no Secret {place}/{mount.name}.", hint="The policy names it.")
    folder.mkdir()
    for key, file in mount.files.items():
        if key in (secret.get("data") or {}):
            (folder / file).write_bytes(b64decode(secret["data"][key]))


def _elsewhere(backup_id: str, policy: str) -> str:
    return (
        f"Restore it into a database that you can read: kubectl holdfast restore {policy} --backup {backup_id} "
        "--database OTHER --apply."
    )
