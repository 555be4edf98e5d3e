"""Opens what a policy names, with the Secrets and the volume that are mounted for it, or that may be read."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from holdfast.errors import InvalidSpec, SecretMissing
from holdfast.mongo.client import database_in
from holdfast.mongo.oplog import MongoOplog
from holdfast.mongo.replay import MongoReplayer
from holdfast.mongo.source import MongoSource
from holdfast.mongo.target import MongoTarget
from holdfast.ports import Cluster, Member, Store, Witness
from holdfast.repository.locks import NOBODY
from holdfast.repository.repository import Repository
from holdfast.resources.drill import EphemeralTarget
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.references import KeySecretRef, UriSecretRef
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.storage import BucketStorage, MongoStorage, VolumeStorage
from holdfast.services.fetch_secrets import fetch_secrets
from holdfast.specs.drill_job import DRILL, EPHEMERAL_URI
from holdfast.specs.names import drill_database
from holdfast.specs.restore_job import TARGET
from holdfast.specs.store_access import (
    CA_FILE,
    ENCRYPTION,
    KEY_FILE,
    SOURCE,
    STORE,
    STORE_CA,
    URI_FILE,
    VOLUME,
    bucket_address,
    bucket_settings,
    claim_words,
    credentials_words,
    mounted_secrets,
)
from holdfast.stores.addresses import place_in
from holdfast.stores.bucket_errors import Words
from holdfast.stores.buckets import open_bucket
from holdfast.stores.files import FileStore
from holdfast.wiring.opening import (
    database_name,
    open_mongodb_store,
    open_oplog,
    open_replayer,
    open_repository,
    open_source,
    open_target,
    read_key,
    read_uri,
)


@contextmanager
def open_for_policy(
    policy: BackupPolicy, *, mounts: Path, member: Member | None = None, witness: Witness = NOBODY
) -> Iterator[tuple[MongoSource, Repository]]:
    """What a policy backs up and where to, with what the kubelet has mounted: its Secrets, and a volume.

    SecretMissing where it could mount nothing; else what ``open_source`` and the store raise.
    """
    spec = policy.spec
    origin = _secret_origin(policy, spec.source.uri_secret_ref)
    uri = read_uri(mounts / SOURCE / URI_FILE, origin=origin)
    preference = spec.source.read_preference
    with (
        closing(
            open_source(uri, spec.source.database, origin=origin, read_preference=preference, member=member)
        ) as source,
        closing(repository_of(policy, mounts=mounts, witness=witness)) as repository,
    ):
        yield source, repository


@contextmanager
def open_for_archive(policy: BackupPolicy, *, mounts: Path) -> Iterator[tuple[MongoOplog, Repository, str]]:
    """The oplog of a policy's source, where its slices go, and the database that they are of."""
    source = policy.spec.source
    origin = _secret_origin(policy, source.uri_secret_ref)
    uri = read_uri(mounts / SOURCE / URI_FILE, origin=origin)
    name = database_name(uri, source.database, origin)
    with (
        closing(open_oplog(uri, origin=origin, read_preference=source.read_preference)) as oplog,
        closing(repository_of(policy, mounts=mounts)) as repository,
    ):
        yield oplog, repository, name


def repository_of(policy: BackupPolicy, *, mounts: Path, witness: Witness = NOBODY) -> Repository:
    """Where a policy keeps its backups. The source is not asked, unless they lie beside it."""
    spec, key = policy.spec, None
    store = _store_of(policy, mounts)
    if spec.encryption:
        key_origin = _secret_origin(policy, spec.encryption.key_secret_ref)
        key = read_key(mounts / ENCRYPTION / KEY_FILE, origin=key_origin)
    return open_repository(store, level=spec.compression.level, key=key, witness=witness)


@contextmanager
def repository_by_secrets(cluster: Cluster, policy: BackupPolicy, *, who: str, hint: str) -> Iterator[Repository]:
    """The same where nothing is mounted: with Secrets that this process may read itself, else as ``fetch_secrets``."""
    # A folder that only this user may read, for as long as this takes.
    with TemporaryDirectory(prefix="holdfast-") as folder:
        fetch_secrets(cluster, policy, Path(folder), who=who, hint=hint)
        with closing(repository_of(policy, mounts=Path(folder))) as repository:
            yield repository


@contextmanager
def open_for_restore(
    policy: BackupPolicy, run: RestoreRun, database: str, *, mounts: Path
) -> Iterator[tuple[MongoTarget, Repository]]:
    """What a RestoreRun writes to and reads from; ``database`` is what was backed up."""
    uri, name, origin = _target_of(policy, run, database, mounts)
    with (
        closing(open_target(uri, name, origin=origin)) as target,
        closing(repository_of(policy, mounts=mounts)) as repository,
    ):
        yield target, repository


@contextmanager
def open_for_drill(policy: BackupPolicy, database: str, *, mounts: Path) -> Iterator[tuple[MongoTarget, Repository]]:
    """What a drill writes to and reads from; ``database`` is what was backed up.

    InvalidSpec if the policy wants no drill, or one without a target."""
    uri, name, origin = _drill_target_of(policy, database, mounts)
    with (
        closing(open_target(uri, name, origin=origin)) as target,
        closing(repository_of(policy, mounts=mounts)) as repository,
    ):
        yield target, repository


def _drill_target_of(policy: BackupPolicy, database: str, mounts: Path) -> tuple[str, str, str]:
    drill = policy.spec.verification.drill
    if drill is None:
        raise InvalidSpec(f"BackupPolicy {policy.metadata.namespace}/{policy.metadata.name} wants no drill.")
    target = drill.target.chosen
    if isinstance(target, EphemeralTarget):
        return EPHEMERAL_URI, database, f"the drill's own server (image {target.image})"
    origin = _secret_origin(policy, target.uri_secret_ref)
    return read_uri(mounts / DRILL / URI_FILE, origin=origin), drill_database(policy.metadata.uid), origin


def open_target_as_source(policy: BackupPolicy, run: RestoreRun, database: str, *, mounts: Path) -> MongoSource:
    """The same database for reading: what a restore would replace is backed up first."""
    uri, name, origin = _target_of(policy, run, database, mounts)
    return open_source(uri, name, origin=origin, read_preference="primary")


def open_replayer_for(policy: BackupPolicy, run: RestoreRun, database: str, *, mounts: Path) -> MongoReplayer:
    """The same database, for repeating what an oplog says."""
    uri, name, origin = _target_of(policy, run, database, mounts)
    return open_replayer(uri, name, origin=origin)


def _target_of(policy: BackupPolicy, run: RestoreRun, database: str, mounts: Path) -> tuple[str, str, str]:
    """URI, name of the database, and where the URI came from."""
    own = run.spec.target.uri_secret_ref
    origin = _secret_origin(policy, own or policy.spec.source.uri_secret_ref)
    uri = read_uri(mounts / (TARGET if own else SOURCE) / URI_FILE, origin=origin)
    in_uri = database_in(uri, origin=origin) if own else None
    return uri, run.spec.target.database or in_uri or database, origin


def _store_of(policy: BackupPolicy, mounts: Path) -> Store:
    storage = policy.spec.storage.chosen
    if isinstance(storage, VolumeStorage):
        return FileStore.on_volume(mounts / VOLUME, storage.path or "", name=claim_words(policy, storage))
    if not isinstance(storage, MongoStorage):
        return _bucket_of(policy, storage, mounts)
    if storage.uri_secret_ref is None:
        source = policy.spec.source
        origin = _secret_origin(policy, source.uri_secret_ref)
        uri = read_uri(mounts / SOURCE / URI_FILE, origin=origin)
        return open_mongodb_store(uri, storage.database or source.database, origin=origin)
    origin = _secret_origin(policy, storage.uri_secret_ref)
    return open_mongodb_store(read_uri(mounts / STORE / URI_FILE, origin=origin), storage.database, origin=origin)


def _bucket_of(policy: BackupPolicy, storage: BucketStorage, mounts: Path) -> Store:
    secrets = mounted_secrets(policy)
    settings = {**os.environ, **bucket_settings(storage)}
    if STORE in secrets:
        settings |= _mounted_credentials(policy, mounts)
    if STORE_CA in secrets:
        bundle = mounts / STORE_CA / CA_FILE
        if not bundle.is_file():
            raise _not_mounted(policy, STORE_CA, ())
        settings["AWS_CA_BUNDLE"] = str(bundle)
    words = Words(credentials_words(policy), region="spec.storage.s3.region", authority="spec.storage.s3.caSecretRef")
    return open_bucket(place_in(bucket_address(storage)), settings, words)


def _mounted_credentials(policy: BackupPolicy, mounts: Path) -> dict[str, str]:
    """What the Secret of a bucket holds, by the names of the usual variables. SecretMissing if that will not do."""
    found = {}
    for file in mounted_secrets(policy)[STORE].files.values():
        with suppress(OSError, UnicodeDecodeError):
            # A line break at its end belongs to whoever wrote the file that the Secret was made from.
            found[file] = (mounts / STORE / file).read_text(encoding="utf-8").strip()
    found = {name: value for name, value in found.items() if value}
    if mounted_secrets(policy)[STORE].lacking(found):
        raise _not_mounted(policy, STORE, found)
    return found


def _not_mounted(policy: BackupPolicy, folder: str, found: Iterable[str]) -> SecretMissing:
    secret = mounted_secrets(policy)[folder]
    where = f"Secret {policy.metadata.namespace}/{secret.name}"
    return SecretMissing(
        f"{where} cannot be read, or has no {' and no '.join(secret.lacking(found))}.", hint="Check its name and keys."
    )


def _secret_origin(policy: BackupPolicy, ref: UriSecretRef | KeySecretRef) -> str:
    return f"key {ref.key} of Secret {policy.metadata.namespace}/{ref.name}"
