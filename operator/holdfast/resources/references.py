"""How a policy names a key of a Secret. Every Secret is in the namespace of the policy."""

from typing import Annotated

from pydantic import Field

from holdfast.resources.base import Spec

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
SecretKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
DatabaseName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^/\\. \"$*<>:|?]+$")]

_NAME = "Name of the Secret, in the namespace of the policy."


class UriSecretRef(Spec):
    """A key of a Secret in the policy's namespace that holds a MongoDB URI."""

    name: Annotated[SecretName, Field(description=_NAME)]
    key: Annotated[SecretKey, Field(description="The key in the Secret that holds the MongoDB URI.")] = "MONGODB_URI"


class KeySecretRef(Spec):
    """A key of a Secret in the policy's namespace that holds an encryption key."""

    name: Annotated[SecretName, Field(description=_NAME)]
    key: Annotated[SecretKey, Field(description="The key in the Secret that holds what `holdfast keygen` wrote.")] = (
        "HOLDFAST_KEY"
    )


class CredentialsSecretRef(Spec):
    """A Secret in the policy's namespace that holds credentials under the usual names of their variables."""

    name: Annotated[SecretName, Field(description=_NAME)]


class ServiceAccountKeySecretRef(Spec):
    """A key of a Secret in the policy's namespace that holds the key of a Google service account."""

    name: Annotated[SecretName, Field(description=_NAME)]
    key: Annotated[SecretKey, Field(description="The key in the Secret that holds the JSON key file.")] = (
        "GOOGLE_SERVICE_ACCOUNT_KEY"
    )


class CertificateSecretRef(Spec):
    """A key of a Secret in the policy's namespace that holds certificates of authorities."""

    name: Annotated[SecretName, Field(description=_NAME)]
    key: Annotated[SecretKey, Field(description="The key in the Secret that holds the certificates, as PEM.")] = (
        "ca.crt"
    )
