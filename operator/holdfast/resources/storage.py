"""Where the backups of a policy are kept: the kinds of store, and what each must be told."""

from typing import Annotated

from pydantic import Field

from holdfast.errors import InvalidSpec
from holdfast.resources.base import Spec
from holdfast.resources.references import (
    CertificateSecretRef,
    CredentialsSecretRef,
    DatabaseName,
    SecretName,
    ServiceAccountKeySecretRef,
    UriSecretRef,
)

_PART = r"[a-zA-Z0-9_-][a-zA-Z0-9._-]*"
_FOLDER = rf"^{_PART}(/{_PART})*/?$"
_HOST = r"([a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])"

Bucket = Annotated[str, Field(max_length=222, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{1,220}$")]
Folder = Annotated[str, Field(max_length=512, pattern=_FOLDER)]
Endpoint = Annotated[
    str, Field(max_length=512, pattern=rf"^https?://{_HOST}(:[1-9][0-9]{{0,4}})?(/[a-zA-Z0-9._~-]+)*/?$")
]

Prefix = Annotated[
    Folder | None,
    Field(description="The folder in the bucket below which the backups lie, such as team/shop. Default: its top."),
]


class MongoStorage(Spec):
    """Backups as documents in the collections `backupmetadatas` and `backupdatas` of a MongoDB database."""

    uri_secret_ref: Annotated[
        UriSecretRef | None,
        Field(description="Where the MongoDB URI of the store is. Default: that of the source."),
    ] = None
    database: Annotated[
        DatabaseName | None,
        Field(
            description="The database that holds the backups. Default: the one in the URI of the store's own "
            "Secret; beside the source, the source's."
        ),
    ] = None


class S3Storage(Spec):
    """Backups in a bucket of S3, or of a server that speaks it."""

    bucket: Annotated[Bucket, Field(description="Name of the bucket. It must exist.")]
    prefix: Prefix = None
    endpoint: Annotated[
        Endpoint | None,
        Field(description="URL of another server than Amazon's, such as https://minio.example.org:9000."),
    ] = None
    region: Annotated[
        str | None,
        Field(
            description="Region of the bucket. Default: the one that the pod's environment names, else us-east-1.",
            max_length=64,
            pattern=r"^[a-zA-Z0-9-]+$",
        ),
    ] = None
    force_path_style: Annotated[
        bool,
        Field(
            description="Name the bucket in the path (https://HOST/BUCKET). With false it is named in the host "
            "(https://BUCKET.HOST), which some servers ask for."
        ),
    ] = True
    credentials_secret_ref: Annotated[
        CredentialsSecretRef | None,
        Field(
            description="A Secret with the keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN if "
            "there is one. Default: the identity that the platform gives the pod, see "
            "`spec.job.serviceAccountAnnotations`."
        ),
    ] = None
    ca_secret_ref: Annotated[
        CertificateSecretRef | None,
        Field(description="Certificates of a private authority that signed the server's. Default: public ones."),
    ] = None


class GcsStorage(Spec):
    """Backups in a bucket of Google Cloud Storage."""

    bucket: Annotated[Bucket, Field(description="Name of the bucket. It must exist.")]
    prefix: Prefix = None
    endpoint: Annotated[Endpoint | None, Field(description="URL of another server than Google's.")] = None
    credentials_secret_ref: Annotated[
        ServiceAccountKeySecretRef | None,
        Field(
            description="Where the key of a service account is. Default: the identity that the platform gives the "
            "pod, see `spec.job.serviceAccountAnnotations`."
        ),
    ] = None


class AzureStorage(Spec):
    """Backups in a container of Azure Blob Storage."""

    account: Annotated[str, Field(description="Name of the storage account.", pattern=r"^[a-z0-9]{3,24}$")]
    container: Annotated[
        str,
        Field(
            description="Name of the container. It must exist.",
            min_length=3,
            max_length=63,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        ),
    ]
    prefix: Prefix = None
    endpoint: Annotated[
        Endpoint | None, Field(description="URL of another server, such as https://ACCOUNT.blob.core.chinacloudapi.cn.")
    ] = None
    credentials_secret_ref: Annotated[
        CredentialsSecretRef | None,
        Field(
            description="A Secret with the key AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN, or with "
            "AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and AZURE_TENANT_ID. Default: the identity that the platform gives "
            "the pod, see `spec.job.serviceAccountAnnotations` and `spec.job.podLabels`."
        ),
    ] = None


class VolumeStorage(Spec):
    """Backups as files on a volume."""

    claim_name: Annotated[
        SecretName, Field(description="Name of the PersistentVolumeClaim, in the namespace of the policy.")
    ]
    path: Annotated[
        Folder | None,
        Field(description="The folder on the volume below which the backups lie; made if needed. Default: its top."),
    ] = None


BucketStorage = S3Storage | GcsStorage | AzureStorage


class StorageSpec(Spec):
    """Where the backups are kept: exactly one kind of store."""

    mongodb: Annotated[
        MongoStorage | None,
        Field(description="Keep backups in MongoDB. `{}` keeps them beside the source, in its own database."),
    ] = None
    s3: Annotated[
        S3Storage | None, Field(description="Keep backups in S3, or on a server that speaks it (MinIO, Ceph, …).")
    ] = None
    gcs: Annotated[GcsStorage | None, Field(description="Keep backups in Google Cloud Storage.")] = None
    azure: Annotated[AzureStorage | None, Field(description="Keep backups in Azure Blob Storage.")] = None
    volume: Annotated[VolumeStorage | None, Field(description="Keep backups on a PersistentVolumeClaim.")] = None

    @property
    def chosen(self) -> MongoStorage | BucketStorage | VolumeStorage:
        """The one kind that is given. InvalidSpec if it is not one; an older CRD may have let that pass."""
        given = [kind for kind in (self.mongodb, self.s3, self.gcs, self.azure, self.volume) if kind is not None]
        if len(given) != 1:
            raise InvalidSpec(f"spec.storage: {len(given)} kinds of store are given.", hint=f"Give one of {KINDS}.")
        return given[0]


KINDS = ", ".join(StorageSpec.model_fields)

ONE_KIND = {
    "rule": f"[{', '.join(f'has(self.{kind})' for kind in StorageSpec.model_fields)}].filter(set, set).size() == 1",
    "message": f"storage takes exactly one kind of store: {KINDS}",
}
"""The same rule for the API server."""
