"""Whether what a policy names is there: its Secrets, and the claim of a volume."""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping

from holdfast.domain.mongodb_uri import uri_database
from holdfast.errors import InvalidInput, InvalidSpec, InvalidUri, SecretMissing, VolumeMissing
from holdfast.ports import SECRET, VOLUME_CLAIM, Cluster
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.references import UriSecretRef
from holdfast.resources.storage import VolumeStorage
from holdfast.specs.failure_domain import Sharing, own_uri, sharing
from holdfast.specs.store_access import MountedSecret, claim_words, mounted_secrets


class Needs:
    """What one policy names, for one look: each Secret is read at most once."""

    def __init__(self, cluster: Cluster, policy: BackupPolicy) -> None:
        self._cluster, self._policy = cluster, policy
        self._secrets: dict[str, Mapping[str, str] | None] = {}

    def check(self) -> None:
        """SecretMissing, VolumeMissing, InvalidUri or InvalidSpec if the worker could not use what is there."""
        source, store = self._policy.spec.source, own_uri(self._policy)
        _, database = self._uri(source.uri_secret_ref)
        if not (source.database or database):
            raise InvalidSpec(
                "No database is named, neither in spec.source.database nor in the MongoDB URI.",
                hint="Name it in one of them.",
            )
        if store:
            self._uri(store)
        for mount in mounted_secrets(self._policy).values():
            # Only that it is there: whether it is a key, and the right one, the worker says.
            self._check_keys(mount)
        self._check_claim()

    def sharing(self) -> Sharing:
        """What the backups share with what they protect. Never raises for a Secret that is missing or wrong."""
        store = own_uri(self._policy)
        if store is None:
            return sharing(self._policy, None, None)
        return sharing(
            self._policy, self._uri_or_none(self._policy.spec.source.uri_secret_ref), self._uri_or_none(store)
        )

    def _check_keys(self, mount: MountedSecret) -> None:
        data = self._secret(mount.name, " and ".join(mount.lacking(())))
        missing = mount.lacking(file for key, file in mount.files.items() if data.get(key))
        if not missing:
            return
        where, keys = self._where(mount.name), " and ".join(missing)
        fault = f"{where} has nothing under {keys}" if data.keys() >= set(missing) else f"{where} has no key {keys}"
        raise SecretMissing(f"{fault}.", hint="Add it, or name another Secret or key in the policy.")

    def _check_claim(self) -> None:
        storage = self._policy.spec.storage.chosen
        if not isinstance(storage, VolumeStorage):
            return
        claim = self._cluster.get(VOLUME_CLAIM, self._policy.metadata.namespace, storage.claim_name)
        where = claim_words(self._policy, storage)
        if claim is None:
            raise VolumeMissing(
                f"There is no {where}.", hint="Create it, or name another in spec.storage.volume.claimName."
            )
        if claim.get("status", {}).get("phase") == "Lost":
            raise VolumeMissing(f"{where} has lost its volume.", hint="Bring the volume back, or make another claim.")

    def _uri_or_none(self, reference: UriSecretRef) -> str | None:
        try:
            return self._uri(reference)[0]
        except InvalidInput:
            return None

    def _uri(self, reference: UriSecretRef) -> tuple[str, str | None]:
        """A URI that has the form of one, and the database in it."""
        data = self._secret(reference.name, reference.key)
        where = self._where(reference.name)
        if reference.key not in data:
            raise SecretMissing(
                f"{where} has no key {reference.key}.", hint="Add it, or name another key in the policy."
            )
        where = f"Key {reference.key} of {where}"
        try:
            uri = b64decode(data[reference.key]).decode()
        except (Base64Error, UnicodeDecodeError):
            raise InvalidUri(f"{where} is no text.", hint="Put the connection string there.") from None
        return uri, uri_database(uri, where)

    def _secret(self, name: str, keys: str) -> Mapping[str, str]:
        """What a Secret holds, still in base64. SecretMissing, which tells the ``keys`` to add, if there is none."""
        if name not in self._secrets:
            body = self._cluster.get(SECRET, self._policy.metadata.namespace, name)
            self._secrets[name] = None if body is None else body.get("data") or {}
        data = self._secrets[name]
        if data is None:
            raise SecretMissing(f"There is no {self._where(name)}.", hint=f"Create it, with key {keys}.")
        return data

    def _where(self, name: str) -> str:
        return f"Secret {self._policy.metadata.namespace}/{name}"
