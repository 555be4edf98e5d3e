"""The condition SharedFailureDomain: whether the backups of a policy lie in the very server that they protect."""

from dataclasses import dataclass

from holdfast.domain.failure_domain import common_server
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.references import UriSecretRef
from holdfast.resources.storage import MongoStorage, VolumeStorage

SHARED_FAILURE_DOMAIN = "SharedFailureDomain"

_ADVICE = "What destroys that server destroys its backups too. Name another place in spec.storage."


@dataclass(frozen=True)
class Sharing:
    """``shared`` is None where it cannot be known yet."""

    shared: bool | None
    reason: str
    message: str


def own_uri(policy: BackupPolicy) -> UriSecretRef | None:
    """The Secret of a MongoDB store of its own, without which nothing can be said."""
    storage = policy.spec.storage.chosen
    return storage.uri_secret_ref if isinstance(storage, MongoStorage) else None


def sharing(policy: BackupPolicy, source: str | None, store: str | None) -> Sharing:
    """Given the URIs of the source and of ``own_uri``, or None where they cannot be read, say what they share."""
    storage = policy.spec.storage.chosen
    if isinstance(storage, VolumeStorage):
        return Sharing(
            False, "Volume", "Backups lie on a volume. Whether it shares a disk with the database is not known."
        )
    if not isinstance(storage, MongoStorage):
        return Sharing(False, "Bucket", "Backups lie in a bucket.")
    if storage.uri_secret_ref is None:
        return Sharing(True, "BesideSource", f"Backups lie in the server that they protect. {_ADVICE}")
    if source is None or store is None:
        return Sharing(None, "NotKnown", "The URIs of the database and of its store cannot both be read.")
    if common := common_server(source, store, namespace=policy.metadata.namespace):
        return Sharing(
            True, "SameServer", f"Backups lie in the server that they protect: both URIs name {common}. {_ADVICE}"
        )
    return Sharing(False, "OtherServer", "Backups lie in another server, as far as the URIs tell.")
