"""What the worker of a policy is given so that it can reach its database and its store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.resources.policy import BackupPolicy
from holdfast.resources.references import CertificateSecretRef, KeySecretRef, UriSecretRef
from holdfast.resources.storage import AzureStorage, BucketStorage, GcsStorage, MongoStorage, S3Storage, VolumeStorage
from holdfast.specs.names import worker_account

URI_FILE = "uri"
KEY_FILE = "key"
CA_FILE = "ca.crt"

SOURCE = "source"
STORE = "store"
STORE_CA = "store-ca"
ENCRYPTION = "encryption"
VOLUME = "volume"

AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
GOOGLE_KEY = "GOOGLE_SERVICE_ACCOUNT_KEY"
AZURE_KEYS = (
    ("AZURE_STORAGE_ACCOUNT_KEY",),
    ("AZURE_STORAGE_SAS_TOKEN",),
    ("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"),
)


@dataclass(frozen=True)
class MountedSecret:
    """A Secret as the worker finds it: each key a file."""

    name: str
    files: Mapping[str, str]
    """Keys of the Secret to names of files."""
    one_of: tuple[tuple[str, ...], ...] = field(default=())
    """Credentials: the files of one of these groups must all be there."""

    def lacking(self, files: Iterable[str]) -> tuple[str, ...]:
        """The keys to add where only ``files`` are there and are not empty; none if these will do."""
        there = set(files)
        groups = [tuple(key for key, file in self.files.items() if file in set(group) - there) for group in self.one_of]
        return min(groups, key=len, default=())


def mounted_secrets(policy: BackupPolicy) -> dict[str, MountedSecret]:
    """The Secrets of the worker, by the names of their folders."""
    spec, storage = policy.spec, policy.spec.storage.chosen
    mounts = {SOURCE: _one_key(spec.source.uri_secret_ref, URI_FILE)}
    if isinstance(storage, MongoStorage):
        if storage.uri_secret_ref:
            mounts[STORE] = _one_key(storage.uri_secret_ref, URI_FILE)
    elif not isinstance(storage, VolumeStorage):
        if credentials := _credentials(storage):
            mounts[STORE] = credentials
        if isinstance(storage, S3Storage) and storage.ca_secret_ref:
            mounts[STORE_CA] = _one_key(storage.ca_secret_ref, CA_FILE)
    if spec.encryption:
        mounts[ENCRYPTION] = _one_key(spec.encryption.key_secret_ref, KEY_FILE)
    return mounts


def bucket_address(storage: BucketStorage) -> str:
    """The address of a bucket as the command line takes it."""
    prefix = storage.prefix or ""
    if isinstance(storage, S3Storage):
        return f"s3://{storage.bucket}/{prefix}"
    if isinstance(storage, GcsStorage):
        return f"gs://{storage.bucket}/{prefix}"
    return f"az://{storage.container}/{prefix}"


def bucket_settings(storage: BucketStorage) -> dict[str, str]:
    """What the policy itself says of a bucket, under the names of the usual variables. No secrets."""
    if isinstance(storage, S3Storage):
        settings = {
            # The one that wins over AWS_ENDPOINT_URL.
            "AWS_ENDPOINT_URL_S3": storage.endpoint,
            "AWS_REGION": storage.region,
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false" if storage.force_path_style else "true",
        }
    elif isinstance(storage, GcsStorage):
        settings = {"GOOGLE_BASE_URL": storage.endpoint}
    else:
        settings = {"AZURE_STORAGE_ACCOUNT_NAME": storage.account, "AZURE_STORAGE_ENDPOINT": storage.endpoint}
    return {name: value for name, value in settings.items() if value}


def credentials_words(policy: BackupPolicy) -> str:
    """Where a person sets what the worker shows to its bucket."""
    namespace, mount = policy.metadata.namespace, mounted_secrets(policy).get(STORE)
    if mount is None:
        kind = next(kind for kind in type(policy.spec.storage).model_fields if getattr(policy.spec.storage, kind))
        account = f"ServiceAccount {namespace}/{worker_account(policy.metadata.name)}"
        return f"spec.storage.{kind}.credentialsSecretRef, or the identity of {account}"
    keys = " or ".join(", ".join(key for key, file in mount.files.items() if file in group) for group in mount.one_of)
    return f"{keys} in Secret {namespace}/{mount.name}"


def claim_words(policy: BackupPolicy, storage: VolumeStorage) -> str:
    return f"PersistentVolumeClaim {policy.metadata.namespace}/{storage.claim_name}"


def _credentials(storage: BucketStorage) -> MountedSecret | None:
    if isinstance(storage, GcsStorage):
        key = storage.credentials_secret_ref
        return MountedSecret(key.name, {key.key: GOOGLE_KEY}, ((GOOGLE_KEY,),)) if key else None
    if storage.credentials_secret_ref is None:
        return None
    name = storage.credentials_secret_ref.name
    if isinstance(storage, AzureStorage):
        return MountedSecret(name, {key: key for group in AZURE_KEYS for key in group}, AZURE_KEYS)
    return MountedSecret(name, {key: key for key in (*AWS_KEYS, "AWS_SESSION_TOKEN")}, (AWS_KEYS,))


def _one_key(reference: UriSecretRef | KeySecretRef | CertificateSecretRef, file: str) -> MountedSecret:
    return MountedSecret(reference.name, {reference.key: file}, ((file,),))
