"""Every door to the outside, as a Protocol, on one page.

Services know these and nothing behind them. Adapters (``mongo``, ``stores``, ``kube``) implement them; the shipped
fakes pass the same contract tests as the real ones. All calls block; every adapter has time-outs of its own and
raises errors of :mod:`holdfast.errors` only.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Literal, Protocol

from holdfast.domain.mail_settings import MailServer
from holdfast.domain.oplog import Operation
from holdfast.domain.phases import CollectionPhase
from holdfast.domain.privileges import Privilege

Labels = Mapping[str, str | int | datetime]

Clock = Callable[[], datetime]
"""The present moment, in UTC and aware. Time is always a parameter."""


# --- where a repository lives ---------------------------------------------------------------------------------------


class Store(Protocol):
    """Immutable objects under string keys such as ``chunks/ab/abcd…``; the contract is ``tests/…/store_contract.py``.

    ``StoreUnavailable`` when it does not answer, ``AuthenticationFailed`` or ``NotAuthorized`` when it refuses.
    """

    @property
    def address(self) -> str:
        """Where it is, for messages. Never holds credentials."""
        ...

    def create(self, key: str, data: bytes, labels: Labels | None = None) -> bool:
        """Store ``data`` under ``key`` unless the key exists. True if this call stored it.

        Atomic: a reader sees the whole object or none. ``labels`` are for people and indexes (the MongoDB store keeps
        them as searchable fields); nothing reads them back.
        """
        ...

    def read(self, key: str) -> bytes | None:
        """The object, or None if there is none."""
        ...

    def size(self, key: str) -> int | None:
        """Stored bytes of the object, or None if there is none (or if it is not whole)."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys below ``prefix``, which ends in a slash, in whatever order. It may be changed meanwhile."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object; no error if there is none."""
        ...

    def check_writable(self) -> None:
        """Prove that objects can be created and deleted here, leaving nothing behind."""
        ...

    def free_bytes(self) -> int | None:
        """Room that is left, or None where that cannot be known."""
        ...

    def close(self) -> None: ...


class Fate(Enum):
    """What became of a process."""

    UNKNOWN = "unknown"
    """It may be at work."""
    GONE = "gone"
    """Nobody runs it any more, as far as anybody knows; a machine that is cut off may."""
    ENDED = "ended"
    """It has ended, for certain."""


class Witness(Protocol):
    """Knows what became of the holders of locks. Never raises; whoever is not sure says UNKNOWN."""

    def myself(self) -> Mapping[str, str]:
        """What this process writes into its locks, so that others can ask for it; empty if nobody could."""
        ...

    def fate(self, holder: Mapping[str, str], /) -> Fate:
        """Of the process that wrote this into its lock."""
        ...


# --- the database that is backed up ---------------------------------------------------------------------------------

CollectionType = Literal["collection", "view", "timeseries"]


@dataclass(frozen=True)
class ServerInfo:
    version: str
    topology: Literal["replicaSet", "standalone", "sharded"]
    replica_set: str | None = None


@dataclass(frozen=True)
class CollectionInfo:
    """One entry of the catalogue. ``options`` and ``indexes`` are BSON documents as the server sent them."""

    name: str
    type: CollectionType
    options: bytes
    indexes: tuple[bytes, ...]
    uuid: bytes | None
    """16 bytes; None for views and time-series collections."""
    data_uuid: bytes | None = None
    """Of the collection that holds the documents: its own, or that of the buckets of a time-series collection."""
    capped: bool = False
    problem: str | None = None
    """Why its indexes could not be listed (a missing privilege, as a rule); such a collection cannot be backed up."""


@dataclass(frozen=True)
class Estimate:
    """What a collection's metadata says of its size. Good enough for progress and for the room that is needed."""

    documents: int = 0
    logical_bytes: int = 0
    storage_bytes: int = 0


@dataclass(frozen=True, order=True, slots=True)
class ClusterTime:
    """A BSON timestamp: seconds since the epoch, and a counter within that second."""

    seconds: int
    increment: int

    def __str__(self) -> str:
        return f"{self.seconds}.{self.increment}"


Member = tuple[str, int | None]
"""One server of a replica set: host and port."""


@dataclass(frozen=True)
class KeyRange:
    """A stretch of a collection in ``_id`` order: from ``lower``, to just before ``upper``. Each is the BSON document
    ``{_id: …}``; None is the end of the collection on that side."""

    lower: bytes | None = None
    upper: bytes | None = None


WHOLE = KeyRange()


class Source(Protocol):
    """A MongoDB database, for reading. Raises SourceUnavailable, AuthenticationFailed, NotAuthorized, SnapshotLost."""

    database: str

    @property
    def member(self) -> Member | None:
        """The member that is read from, once it is chosen."""
        ...

    def server(self) -> ServerInfo: ...

    def catalogue(self) -> list[CollectionInfo]:
        """All collections that a backup may hold, sorted by name; system collections are left out as mongodump does."""
        ...

    def estimate(self, collection: CollectionInfo) -> Estimate: ...

    def cluster_time(self) -> ClusterTime | None:
        """A time at which all collections can be read together, or None where the server has no snapshots.

        It is not earlier than anything that a call made before this one has seen.
        """
        ...

    def snapshot_window(self) -> int | None:
        """For how many seconds the member keeps a cluster time readable; None where there is no such thing.

        NotAuthorized if the user may not ask."""
        ...

    def set_snapshot_window(self, seconds: int) -> int:
        """Change that, until the member restarts, and return what it was. NotAuthorized if the user may not."""
        ...

    def count(self, collection: CollectionInfo, at: ClusterTime | None) -> int:
        """The exact number of documents, at ``at`` where that is given."""
        ...

    def can_snapshot(self, collection: CollectionInfo) -> bool:
        """False for a kind of collection that this server cannot read at a cluster time (capped ones, before 6.1)."""
        ...

    def can_divide(self, collection: CollectionInfo) -> bool:
        """Whether ``key`` and a range in ``read`` work: it has documents in ``_id`` order, compared byte for byte."""
        ...

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None:
        """The ``{_id: …}`` that comes after the first ``skip`` documents of a range. None if there is none, or it is
        not fit to divide a collection at (huge, or the greatest of all)."""
        ...

    def read(
        self,
        collection: CollectionInfo,
        at: ClusterTime | None,
        keys: KeyRange = WHOLE,
        *,
        batch_bytes: int | None = None,
    ) -> Iterator[Sequence[bytes]]:
        """The documents in batches: in ``_id`` order, or in natural order for a capped collection.

        ``batch_bytes``: about how much is asked for at once, where that is not left to the source.
        Never decoded. CatalogueChanged if the collection was dropped, renamed or made anew meanwhile.
        """
        ...

    def close(self) -> None: ...


# --- the database that is restored into -----------------------------------------------------------------------------


class Target(Protocol):
    """A MongoDB database, for writing. The same errors as Source; CollectionFailed for any refused write."""

    database: str

    def server(self) -> ServerInfo: ...

    def compatibility(self) -> str | None:
        """The server's feature compatibility version, such as ``6.0``; None where the user may not ask for it."""
        ...

    def identities(self) -> dict[str, bytes | None]:
        """All collections and views that are there, by name, with the UUID of what holds the data (views have none).
        A collection keeps its UUID when it is renamed."""
        ...

    def estimate(self, collection: CollectionInfo) -> Estimate: ...

    def free_bytes(self) -> int | None:
        """Room on the server's disk, or None where that cannot be known."""
        ...

    def privileges(self) -> Sequence[Privilege] | None:
        """What the user may do here; None where everybody may do everything, or nobody says."""
        ...

    def create(self, name: str, options: bytes, kind: CollectionType) -> None:
        """Create a collection or a view with its options as they were backed up. TargetNotEmpty if it is there."""
        ...

    def drop(self, name: str) -> None:
        """Drop a collection or a view; no error if there is none."""
        ...

    def drop_database(self) -> None:
        """Drop all of it."""
        ...

    def rename(self, name: str, to: str, *, replace: bool) -> None:
        """Give a collection another name, in one step. ``replace`` drops a collection that has it, in the same step.

        TargetNotEmpty if the name is taken, and not to be replaced or not by a collection."""
        ...

    def insert(self, collection: CollectionInfo, data: bytes, *, only_missing: bool = False) -> int:
        """Insert raw documents that follow one another, in order into a capped collection, and return how many. Any
        write error raises; with ``only_missing``, a duplicate key is none."""
        ...

    def counterparts(self, collection: CollectionInfo, documents: Sequence[bytes]) -> list[bytes]:
        """The documents there that have the ``_id`` of one of these, in any order."""
        ...

    def create_indexes(self, name: str, options: bytes, indexes: Sequence[bytes]) -> None: ...

    def settle(self) -> None:
        """Wait until a majority of the members holds all that was written."""
        ...

    def catalogue(self) -> list[CollectionInfo]: ...

    # Notes that a restore keeps in the target while it works, under a key each. A majority holds them.

    def notes(self) -> dict[str, dict[str, str]]: ...

    def write_note(self, key: str, note: Mapping[str, str]) -> None: ...

    def replace_note(self, key: str, before: Mapping[str, str] | None, note: Mapping[str, str]) -> bool:
        """In one step, put a note in place of ``before`` (None: of nothing). False if something else was there."""
        ...

    def delete_note(self, key: str) -> None: ...

    def drop_notes(self) -> None:
        """Remove all, and the place where they are kept."""
        ...

    # For the comparison afterwards; as a Source has them.

    def can_divide(self, collection: CollectionInfo) -> bool: ...

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None: ...

    def read(
        self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange = WHOLE
    ) -> Iterator[Sequence[bytes]]: ...

    def close(self) -> None: ...


# --- the oplog: every change of a replica set, in order -------------------------------------------------------------


class Oplog(Protocol):
    """The oplog of a replica set, for reading. The errors of Source, and OplogGap."""

    @property
    def replica_set(self) -> str:
        """Its name. InvalidSpec where there is no oplog: a standalone server, or a sharded cluster."""
        ...

    def head(self) -> tuple[ClusterTime, int]:
        """The newest entry that a majority has: its time, and the term of the primary that wrote it."""
        ...

    def follow(self, after: ClusterTime, term: int) -> Iterator[Sequence[bytes]]:
        """All entries behind one that is known, as they are written, raw. An empty batch where there is none for a
        second. Never ends by itself.

        OplogGap if the known entry is not there: the oplog has rolled over it, or another history took its place."""
        ...

    def close(self) -> None: ...


class Replayer(Protocol):
    """Does operations of an oplog once more, in the database of a Target. CollectionFailed for any that is refused."""

    def write(self, operations: Sequence[Operation], note: str, content: Mapping[str, str]) -> None:
        """Do inserts, updates and deletes in order, and keep a note of the target (as ``Target.write_note``) behind
        them."""
        ...

    def change(self, operation: Operation, *, again: bool) -> None:
        """Do any other. Nothing expires yet: that waits for ``expire``. ``again``: it may have been done before."""
        ...

    def expire(self, collection: str, index: str, seconds: int) -> None:
        """Let documents expire by this index from now on; by the option of the collection where ``index`` is empty."""
        ...


# --- who is told ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CollectionAdvance:
    """How far one collection of a run is."""

    name: str
    phase: CollectionPhase
    documents: int = 0
    logical_bytes: int = 0
    error: str = ""


@dataclass(frozen=True)
class Advance:
    """How far a run is. ``total_*`` are estimates from metadata."""

    collection: str
    documents: int
    logical_bytes: int
    new_bytes: int
    total_documents: int
    total_bytes: int
    collections: Callable[[], Sequence[CollectionAdvance]] = tuple
    """Each of them as it is when this is called; nobody need ask."""


class Progress(Protocol):
    """Where a use case reports. Calls are cheap; an implementation decides how often it shows anything.

    An implementation must not raise: a report that cannot be delivered never fails a backup.
    """

    def phase(self, name: str, message: str = "") -> None: ...

    def advance(self, report: Advance) -> None: ...

    def warn(self, message: str) -> None: ...


@dataclass(frozen=True)
class Letter:
    """One mail to one address, before it is rendered: a template, and the facts that it tells."""

    message_id: str
    """Without the brackets. The same mail has the same one however often it is sent."""
    to: str
    date: datetime
    template: str
    facts: Mapping[str, Any]
    own: Mapping[str, str] = field(default_factory=dict)
    """Templates by name, such as ``backup_failure.html``, that go before those that we ship."""


class Mailer(Protocol):
    """Hands letters to a mail server; the contract is ``tests/support/mailer_contract.py``.

    Every try is bounded in time. Nothing that it raises holds a password.
    """

    def send(self, server: MailServer, letter: Letter) -> str:
        """Return when the server has taken the letter; and why the letter's own templates were not used, if so.

        MailUnavailable: try again later. MailRefused: not this letter, ever. InvalidMailSettings or
        AuthenticationFailed: not before a person has changed the settings.
        """
        ...

    def faults(self, own: Mapping[str, str]) -> Mapping[str, str]:
        """By name, what can be seen to be wrong about templates before there is a letter."""
        ...


class Pinger(Protocol):
    """Calls a URL, to say that all is well; the contract is ``tests/support/pinger_contract.py``."""

    def ping(self, url: str) -> None:
        """Return when it was heard.

        HookUnavailable: try again later. HookRefused: it is not wanted there. InvalidUri: it cannot be called. None of
        them holds more of the URL than its host.
        """
        ...


class Messenger(Protocol):
    """Hands letters to services such as Slack; the contract is ``tests/support/messenger_contract.py``.

    A URL says which service, and whose. It is a secret: nothing that is raised, returned or logged holds it. Every try
    is bounded in time.
    """

    def service(self, url: str) -> str:
        """What people call the service. InvalidUri if there is none, or it is not allowed. Nothing is called."""
        ...

    def send(self, url: str, letter: Letter) -> None:
        """Return when the service has taken the letter's text. InvalidUri as above. HookUnavailable: try it later."""
        ...


class SourceProbe(Protocol):
    """Asks a source whether it can be read; the contract is ``tests/support/probe_contract.py``."""

    def probe(self, uri: str, *, origin: str, read_preference: str) -> str:
        """What answers, in words, such as ``Replica set rs0``. Takes five seconds at most, and reads no data.

        InvalidUri, InvalidSpec, AuthenticationFailed, NotAuthorized or SourceUnavailable if it cannot be read.
        ``origin`` is where the URI came from, for messages.
        """
        ...


# --- people who sign up ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UserCollection:
    """Where an application keeps its users. ``origin`` is where the URI came from, for messages."""

    uri: str = field(repr=False)
    origin: str
    read_preference: str
    database: str
    collection: str

    def __str__(self) -> str:
        return f"{self.database}.{self.collection}"


@dataclass(frozen=True)
class Signups:
    """What came into a collection since the last look. ``position`` is where the next one begins."""

    position: str
    way: Literal["ChangeStream", "Ids"]
    """How they are noticed: told by the server, or found by their ``_id``, where a server tells nothing."""
    count: int = 0
    ids: tuple[str, ...] = ()
    """The first of them, as Extended JSON."""
    more: bool = False
    """There may be more already."""
    lost: bool = False
    """The position given was of no use any more: what came since then is not known."""
    there: bool = True
    """Whether there is such a collection."""


@dataclass(frozen=True)
class Person:
    """All that is ever read of a user. What is not there is empty."""

    name: str
    address: str
    time: datetime | None


@dataclass(frozen=True)
class PersonFields:
    """Where it lies in a user's document, with dots between names."""

    name: str
    address: str
    time: str


class SignupSource(Protocol):
    """Tells who has signed up; the contract is ``tests/support/signups_contract.py``.

    Each call takes a few seconds at most, and reads nothing but what it returns. The errors of Source; InvalidSpec
    where the collection cannot be followed.
    """

    def look(self, where: UserCollection, position: str | None, *, shown: int) -> Signups:
        """What came since ``position``, oldest first; from None on, nothing has come yet. ``shown`` bounds the ids."""
        ...

    def people(self, where: UserCollection, ids: Sequence[str], fields: PersonFields) -> Sequence[Person]:
        """Those of these users who are still there, in the order of the ids."""
        ...


# --- metrics --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Family:
    """A series of measurements under one name, as Prometheus has it."""

    name: str
    type: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a family. ``labels``: the values of its labels, in their order."""

    family: str
    labels: tuple[str, ...]
    value: float


class Meter(Protocol):
    """Counts what the operator itself does. Never raises."""

    def took(self, kind: str, seconds: float) -> None:
        """One look at an object of that kind."""
        ...

    def failed(self, kind: str, reason: str) -> None:
        """A look that failed, for a reason in one CamelCase word."""
        ...


# --- the Kubernetes cluster -----------------------------------------------------------------------------------------

KubeObject = dict[str, Any]
"""An object of the Kubernetes API as JSON."""


@dataclass(frozen=True)
class Kind:
    """A kind of object, and the words of its address."""

    api_version: str
    name: str
    plural: str


BACKUP_POLICY = Kind("holdfast.dev/v1alpha1", "BackupPolicy", "backuppolicies")
BACKUP_RUN = Kind("holdfast.dev/v1alpha1", "BackupRun", "backupruns")
RESTORE_RUN = Kind("holdfast.dev/v1alpha1", "RestoreRun", "restoreruns")
CRON_JOB = Kind("batch/v1", "CronJob", "cronjobs")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
JOB = Kind("batch/v1", "Job", "jobs")
POD = Kind("v1", "Pod", "pods")
SECRET = Kind("v1", "Secret", "secrets")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
VOLUME_CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims")
SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
EVENT = Kind("v1", "Event", "events")
ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")
ROLE_BINDING = Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings")


class Cluster(Protocol):
    """The Kubernetes API; the contract is ``tests/support/cluster_contract.py``.

    ClusterUnavailable when it does not answer, NotAuthorized when it forbids, InvalidSpec when it finds an object
    invalid. What is not there is None, never an error.
    """

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None: ...

    def list(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[KubeObject]:
        """All objects of a kind with all of these labels; of all namespaces if none is named."""
        ...

    def each(
        self, kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Iterator[KubeObject]:
        """The same, a few at a time, for what is too much to be held at once.

        It is no picture of one moment: what changes meanwhile may come twice, as it was and as it is.
        """
        ...

    def create(self, kind: Kind, body: KubeObject) -> KubeObject | None:
        """The new object, or None if one of its name exists."""
        ...

    def apply(self, kind: Kind, body: KubeObject) -> KubeObject:
        """Server-side apply as field manager ``holdfast``, taking the fields in ``body`` from whoever holds them."""
        ...

    def patch(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        """A JSON merge patch of ``current``. None if it is gone, or was changed since it was read."""
        ...

    def patch_status(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        """The same for its status; ``changes`` are those of the status itself."""
        ...

    def delete(self, kind: Kind, current: KubeObject) -> bool:
        """Delete exactly this object, with what it owns, without waiting. False if it is gone."""
        ...

    def events(self, about: KubeObject, reason: str) -> Sequence[KubeObject]:
        """Events of one reason about one object."""
        ...

    def record(
        self, about: KubeObject, kind: Kind, event: Literal["Normal", "Warning"], reason: str, note: str
    ) -> None:
        """Record an event. Never raises: an event is a courtesy."""
        ...


class Fence(Protocol):
    """Stands before all that changes anything outside, where only one of several processes may act."""

    def act(self) -> AbstractContextManager[None]:
        """Raises LeaseLost on entry if we may not, or not any more."""
        ...


# --- people, as the cluster knows them --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Viewer:
    """Somebody whose token the cluster knows: what it says of them, and asks for again to judge rights."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Reviewer(Protocol):
    """Who somebody is and what they may do, by the cluster's own word. ClusterUnavailable when it gives none."""

    def identify(self, token: str) -> Viewer | None:
        """None if the cluster does not know the token, or it was not made for us."""
        ...

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        """Whether its RBAC lets them; without a namespace: in all of them."""
        ...


@dataclass(frozen=True)
class Change:
    """An object that is new, or other than it was, or gone; ``body``: as it was seen last. It belongs to the mirror."""

    kind: Kind
    body: KubeObject
    gone: bool = False


class Mirror(Protocol):
    """Objects of the cluster as they lie in memory, followed by watches: to look costs no request."""

    def complete(self) -> bool:
        """Whether all kinds have been listed once."""
        ...

    def objects(self, kind: Kind) -> Sequence[KubeObject]:
        """All of a kind, in no order. They belong to the mirror: never change them."""
        ...

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call it with each change from now on, those of one kind in their order. It must be quick, and never raise."""
        ...
