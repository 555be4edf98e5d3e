"""The one place where use cases meet adapters."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from holdfast.domain.database_name import check_database_name
from holdfast.errors import InvalidKey, InvalidSpec, InvalidUri, SecretMissing, StoreUnavailable
from holdfast.mongo.client import OneMember, connect, database_in
from holdfast.mongo.oplog import MongoOplog
from holdfast.mongo.probe import MongoProbe
from holdfast.mongo.replay import MongoReplayer
from holdfast.mongo.signups import MongoSignups
from holdfast.mongo.source import MongoSource
from holdfast.mongo.target import MongoTarget
from holdfast.ports import (
    Cluster,
    Mailer,
    Member,
    Messenger,
    Meter,
    Pinger,
    Sample,
    SignupSource,
    SourceProbe,
    Store,
    Witness,
)
from holdfast.repository.cipher import key_of
from holdfast.repository.locks import NOBODY
from holdfast.repository.repository import Repository
from holdfast.resources.drill import EphemeralTarget
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.references import KeySecretRef, UriSecretRef
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.storage import BucketStorage, MongoStorage, VolumeStorage
from holdfast.services.fetch_secrets import fetch_secrets
from holdfast.services.mail_account import House, no_house
from holdfast.settings import MailingSettings
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
from holdfast.stores.addresses import KINDS, place_in
from holdfast.stores.bucket_errors import Words
from holdfast.stores.buckets import open_bucket
from holdfast.stores.files import FileStore
from holdfast.stores.mongodb import MongoStore

if TYPE_CHECKING:
    from holdfast.mail.render import Renderer

LEVEL = 3
"""zstd's own default: measured to keep up with the wire on two cores."""


def now() -> datetime:
    return datetime.now(UTC)


def read_uri(path: Path, *, origin: str) -> str:
    """A MongoDB URI from a file; ``origin`` names the file, or the Secret behind it, in messages.

    SecretMissing if there is no such file or nothing in it.
    """
    try:
        uri = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissing(f"No MongoDB URI: {origin} cannot be read.", hint="Check its name and key.") from error
    if not uri:
        raise SecretMissing(f"No MongoDB URI: {origin} is empty.", hint="Put the connection string there.")
    return uri


def read_key(path: Path, *, origin: str) -> bytes:
    """An encryption key from a file. InvalidKey if there is none in it."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidKey(f"No encryption key: {origin} cannot be read.", hint="Check its name and key.") from error
    return key_of(text, origin=origin)


def open_source(
    uri: str,
    database: str | None,
    *,
    origin: str,
    read_preference: str | None = None,
    member: Member | None = None,
) -> MongoSource:
    """The database to back up: the one named, or the one in the URI. InvalidSpec if neither names one.

    ``member``: which one to read from, where another process has chosen it.
    """
    name = _database(uri, database, origin)
    options: dict[str, Any] = {"readPreference": read_preference} if read_preference else {}
    selector = OneMember(member)
    client = connect(uri, origin=origin, server_selector=selector, **options)
    return MongoSource(client, name, origin=origin, selector=selector)


def open_target(uri: str, database: str, *, origin: str) -> MongoTarget:
    """The database to restore into. It may be written for hours: no time-out on a call but those in the URI."""
    check_database_name(database)
    client = connect(uri, origin=origin, readPreference="primary", socketTimeoutMS=0)
    return MongoTarget(client, database, origin=origin)


def open_oplog(uri: str, *, origin: str, read_preference: str | None = None) -> MongoOplog:
    """The oplog of the server behind a URI, from one member."""
    options: dict[str, Any] = {"readPreference": read_preference} if read_preference else {}
    return MongoOplog(connect(uri, origin=origin, server_selector=OneMember(), **options), origin=origin)


def open_replayer(uri: str, database: str, *, origin: str) -> MongoReplayer:
    """What repeats operations in a database. An index may take hours: no time-out on a call but those in the URI."""
    check_database_name(database)
    client = connect(uri, origin=origin, readPreference="primary", socketTimeoutMS=0)
    return MongoReplayer(client, database, origin=origin)


def open_mongodb_store(uri: str, database: str | None, *, origin: str) -> MongoStore:
    name = _database(uri, database, origin)
    client = connect(uri, origin=origin, unavailable=StoreUnavailable, readPreference="primary")
    return MongoStore(client, name, origin=origin)


def open_store(address: str, *, uri: str | None, uri_origin: str, database: str | None) -> Store:
    """The store behind a repository's address on the command line.

    ``mongodb:`` lies beside the source (``uri``), in ``database`` or the one in the URI; ``mongodb:NAME`` in another
    database of that server; ``mongodb+file:PATH`` takes another URI from a file; ``file:///PATH`` is a directory;
    ``s3://``, ``gs://`` and ``az://`` name a bucket, which the environment says how to reach. Raises InvalidUri for
    any other.
    """
    kind, _, rest = address.partition(":")
    if kind == "mongodb" and not rest.startswith("//"):
        if uri is None:
            raise InvalidUri(
                f"The repository {address!r} lies beside the source, and no source is given.",
                hint="Set MONGODB_URI, or give --uri-file.",
            )
        return open_mongodb_store(uri, rest or database, origin=uri_origin)
    if kind == "mongodb+file" and rest:
        origin = f"file {rest}"
        return open_mongodb_store(read_uri(Path(rest), origin=origin), None, origin=origin)
    if kind == "file" and rest.startswith("///"):
        return FileStore(Path(rest.removeprefix("//")))
    if kind in KINDS:
        return open_bucket(place_in(address), os.environ)
    if kind in ("mongodb", "mongodb+srv"):
        # Not quoted: it may hold a password, which is also why it is not taken.
        raise InvalidUri(
            "A MongoDB URI is not taken from the command line, where every user of this machine can see it.",
            hint="Put it into a file and give --repository mongodb+file:PATH.",
        )
    raise InvalidUri(
        f"{kind!r} is not a kind of repository.",
        hint="There are mongodb:, mongodb+file:PATH, file:///PATH, s3://, gs:// and az://BUCKET/PREFIX.",
    )


def open_repository(
    store: Store, *, level: int = LEVEL, key: bytes | None = None, witness: Witness = NOBODY
) -> Repository:
    return Repository(store, compression_level=level, key=key, witness=witness)


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
    name = _database(uri, source.database, origin)
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


def _database(uri: str, database: str | None, origin: str) -> str:
    name = database or database_in(uri, origin=origin)
    if not name:
        raise InvalidSpec(
            f"No database is named, neither by its own setting nor in the URI from {origin}.",
            hint="Add it to the URI (…:27017/NAME?…) or name it.",
        )
    return check_database_name(name)


@dataclass(frozen=True)
class Looks:
    """How mails and messages present themselves; what is empty is as we ship it. ``logo``: an image in Base64."""

    name: str = ""
    colour: str = ""
    link: str = ""
    logo: str = ""

    @classmethod
    def of(cls, settings: MailingSettings) -> "Looks":
        return cls(settings.mail_name, settings.mail_colour, settings.mail_link, settings.mail_logo)


def open_mailer(looks: Looks | None = None) -> Mailer:
    """What hands mail to the servers that policies name. InvalidSpec for a logo that is none."""
    # Only who sends mail pays for the engine of its templates.
    from holdfast.mail.smtp import SmtpMailer

    return SmtpMailer(_renderer(looks))


def open_house(folder: Path | None) -> House:
    """What tells the mail settings of the installation, from where its Secret is mounted; None: it has none."""
    from holdfast.mail.mounted import mounted_settings

    return partial(mounted_settings, folder) if folder else no_house


def open_messenger(schemes: Iterable[str], looks: Looks | None = None) -> Messenger:
    """What hands messages to the services that policies name, as far as ``schemes`` allows; looks as those of mails."""
    from holdfast.hooks.channels import AppriseMessenger

    return AppriseMessenger(_renderer(looks).text, tuple(schemes))


def _renderer(looks: Looks | None) -> "Renderer":
    from holdfast.mail.brand import Brand, read_logo
    from holdfast.mail.render import Renderer

    given = {key: value for key, value in asdict(looks or Looks()).items() if value and key != "logo"}
    return Renderer(Brand(**given, logo=read_logo(looks.logo if looks else "")))


def open_pinger() -> Pinger:
    """What calls the heartbeat URLs that policies name."""
    from holdfast.hooks.ping import HttpPinger

    return HttpPinger()


def open_probe() -> SourceProbe:
    """What asks sources whether they can be read."""
    return MongoProbe()


def open_signups() -> SignupSource:
    """What tells who has signed up in the applications that policies name."""
    return MongoSignups()


def open_metrics(samples: Callable[[], Iterable[Sample]], port: int) -> Meter:
    """What counts the operator's work, and answers scrapes on ``port`` (0: on none). InvalidSpec if that is taken."""
    # Only the operator pays for it.
    from holdfast.metrics.prometheus import Prometheus
    from holdfast.specs.series import FAMILIES

    metrics = Prometheus(FAMILIES, samples)
    if port:
        try:
            metrics.serve(port)
        except OSError as error:
            raise InvalidSpec(
                f"HOLDFAST_METRICS_PORT: nothing can listen on port {port}: {error.strerror}.", hint="Take another."
            ) from error
    return metrics
