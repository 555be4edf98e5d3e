"""Clients of S3, Google Cloud Storage and Azure Blob Storage, as the usual variables of each describe them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, S3Store

from holdfast.errors import InvalidSpec, InvalidUri
from holdfast.stores.addresses import Place
from holdfast.stores.bucket_errors import Bucket, Words
from holdfast.stores.objects import Client, ObjectStore

_RETRY: Any = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(milliseconds=250), "max_backoff": timedelta(seconds=10), "base": 2},
}
_CONNECT = timedelta(seconds=10)
_REQUEST = timedelta(seconds=120)
"""For one request with its whole body, of 16 MB at most: a line that is slower is not worth a backup."""


@dataclass(frozen=True)
class _Service:
    """What differs: the client, its variables, which of them may name the endpoint, and words for messages."""

    client: type[Client]
    variables: tuple[str, ...]
    endpoints: tuple[str, ...]
    options: Mapping[str, Any]
    words: Words
    """``authority`` is also the variable that is read."""
    bulk: Mapping[str, Any] | None = None
    """Options of a client that deletes many objects by one request, where that is another one."""
    host_style: str = ""
    """The variable that says whether the bucket is named in the host."""


_SERVICES = {
    "s3": _Service(
        client=S3Store,
        variables=(
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
            "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_METADATA_ENDPOINT",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
        ),
        endpoints=("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
        # One request for each object: some servers have no bulk deletion. Where there are many, it is tried.
        options={"disable_bulk_delete": True},
        bulk={"disable_bulk_delete": False},
        words=Words(
            credentials="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of this pod",
            region="AWS_REGION",
            authority="AWS_CA_BUNDLE",
        ),
        host_style="AWS_VIRTUAL_HOSTED_STYLE_REQUEST",
    ),
    "gs": _Service(
        client=GCSStore,
        variables=(
            "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY",
            "GOOGLE_BEARER_TOKEN",
        ),
        endpoints=("GOOGLE_BASE_URL",),
        options={},
        words=Words("GOOGLE_APPLICATION_CREDENTIALS, or the service account of this pod"),
    ),
    "az": _Service(
        client=AzureStore,
        variables=(
            "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
        ),
        endpoints=("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
        options={},
        words=Words("AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the identity of this pod"),
    ),
}  # fmt: skip


def open_bucket(place: Place, settings: Mapping[str, str], words: Words | None = None) -> ObjectStore:
    """The store at ``place``. ``settings`` are environment variables, or what a Secret holds under the same names.

    The client looks into the process's environment for what they leave out. ``words`` say where a person sets them, if
    not by those variables. InvalidSpec if they make no sense or there is no such bucket, InvalidUri for a bad endpoint;
    else the errors of ObjectStore.
    """
    service = _SERVICES[place.kind]
    words = words or service.words
    endpoint_variable = next((name for name in service.endpoints if settings.get(name)), "")
    endpoint = _endpoint(endpoint_variable, settings.get(endpoint_variable, ""))
    address = f"{place} at {endpoint}" if endpoint else str(place)
    config = {name.lower(): settings[name] for name in service.variables if settings.get(name)}
    if endpoint:
        in_host = settings.get(service.host_style, "").lower() == "true"
        config[service.endpoints[0].lower()] = _with_bucket(endpoint, place.bucket) if in_host else endpoint
    options: dict[str, Any] = {
        "timeout": _REQUEST,
        "connect_timeout": _CONNECT,
        "allow_http": endpoint.startswith("http://"),
    }
    if bundle := settings.get(service.words.authority):
        options["root_certificate"] = _certificates(service.words.authority, Path(bundle))

    def made(more: Mapping[str, Any]) -> Any:
        make: Any = service.client
        prefix, together = place.prefix or None, {**config, **service.options, **more}
        return make(place.bucket, prefix=prefix, config=together, client_options=options, retry_config=_RETRY)

    try:
        client, bulk = made({}), made(service.bulk) if service.bulk else None
    except (BaseError, ValueError, FileNotFoundError):
        # Not chained and not quoted: the client's text may hold a part of a key.
        raise InvalidSpec(f"The settings for {address} cannot be used.", hint=f"Check {words.credentials}.") from None
    return ObjectStore(client, Bucket(address, place.bucket, words), bulk)


def _endpoint(variable: str, url: str) -> str:
    """The endpoint in a variable, or "". InvalidUri if it is none; it is not quoted, for it may hold a password."""
    try:
        parts = urlsplit(url)
        good = not url or (parts.scheme in ("http", "https") and parts.hostname and not parts.username)
        good = good and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise InvalidUri(
            f"The variable {variable} holds no endpoint.", hint="Its form is https://HOST or https://HOST:PORT."
        )
    return url.rstrip("/")


def _with_bucket(endpoint: str, bucket: str) -> str:
    """The client takes the endpoint as it is, so the bucket is put into the host here."""
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(netloc=f"{bucket}.{parts.netloc}"))


def _certificates(variable: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidSpec(
            f"The file {path}, named by {variable}, cannot be read.", hint="Correct the variable, or unset it."
        ) from error
