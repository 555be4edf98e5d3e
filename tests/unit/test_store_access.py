"""What the worker is given for each kind of store, and what must be in a Secret for it."""

from typing import Any

import pytest
from pydantic import ValidationError

from holdfast.errors import InvalidSpec
from holdfast.resources.storage import AzureStorage, GcsStorage, S3Storage, StorageSpec
from holdfast.specs.store_access import bucket_address, bucket_settings, credentials_words, mounted_secrets
from tests.support.kube_objects import policy_model

KEYS = {"credentialsSecretRef": {"name": "keys"}}
S3 = {"bucket": "backups", **KEYS}
AZURE = {"account": "acme", "container": "backups", **KEYS}


def files_of(storage: dict[str, Any], folder: str = "store") -> dict[str, str]:
    return dict(mounted_secrets(policy_model(storage=storage))[folder].files)


def lacking(storage: dict[str, Any], *files: str) -> tuple[str, ...]:
    return mounted_secrets(policy_model(storage=storage))["store"].lacking(files)


def test_each_kind_takes_its_secret_under_the_usual_names() -> None:
    assert set(files_of({"s3": S3})) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert files_of({"gcs": {"bucket": "backups", "credentialsSecretRef": {"name": "keys", "key": "key.json"}}}) == {
        "key.json": "GOOGLE_SERVICE_ACCOUNT_KEY"
    }
    assert {"AZURE_STORAGE_ACCOUNT_KEY", "AZURE_CLIENT_SECRET"} < set(files_of({"azure": AZURE}))
    assert files_of({"s3": {**S3, "caSecretRef": {"name": "ca"}}}, "store-ca") == {"ca.crt": "ca.crt"}


@pytest.mark.parametrize(
    "storage",
    [
        {"mongodb": {}},
        {"s3": {"bucket": "backups"}},
        {"gcs": {"bucket": "backups"}},
        {"azure": {"account": "acme", "container": "backups"}},
        {"volume": {"claimName": "backups"}},
    ],
)
def test_without_a_secret_of_its_own_a_store_needs_none(storage: dict[str, Any]) -> None:
    assert set(mounted_secrets(policy_model(storage=storage))) == {"source"}


def test_one_way_to_prove_who_it_is_is_enough() -> None:
    assert lacking({"s3": S3}, "AWS_ACCESS_KEY_ID") == ("AWS_SECRET_ACCESS_KEY",)
    assert lacking({"s3": S3}, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") == ()
    assert lacking({"azure": AZURE}) == ("AZURE_STORAGE_ACCOUNT_KEY",)
    assert lacking({"azure": AZURE}, "AZURE_STORAGE_SAS_TOKEN") == ()
    assert lacking({"azure": AZURE}, "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET") == ()


def test_what_is_lacking_is_named_as_the_policy_names_it() -> None:
    gcs = {"bucket": "backups", "credentialsSecretRef": {"name": "keys", "key": "key.json"}}
    assert lacking({"gcs": gcs}) == ("key.json",)


def test_a_bucket_has_the_address_that_the_command_line_takes() -> None:
    assert bucket_address(S3Storage(bucket="backups", prefix="team/shop")) == "s3://backups/team/shop"
    assert bucket_address(GcsStorage(bucket="backups")) == "gs://backups/"
    assert bucket_address(AzureStorage(account="acme", container="backups")) == "az://backups/"


def test_the_policy_says_where_a_bucket_is_and_how_it_is_asked() -> None:
    s3 = S3Storage(bucket="backups", endpoint="https://s3.example.org", region="eu-west-1", force_path_style=False)
    assert bucket_settings(s3) == {
        "AWS_ENDPOINT_URL_S3": "https://s3.example.org",
        "AWS_REGION": "eu-west-1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    }
    assert bucket_settings(GcsStorage(bucket="backups")) == {}
    assert bucket_settings(AzureStorage(account="acme", container="backups")) == {"AZURE_STORAGE_ACCOUNT_NAME": "acme"}


def test_where_credentials_are_set_is_told_in_terms_of_the_policy() -> None:
    told = credentials_words(policy_model(storage={"s3": S3}))
    assert told == "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY in Secret default/keys"
    told = credentials_words(policy_model(storage={"gcs": {"bucket": "backups"}}))
    assert told == "spec.storage.gcs.credentialsSecretRef, or the identity of ServiceAccount default/holdfast-shop"


@pytest.mark.parametrize("storage", [{}, {"mongodb": {}, "s3": {"bucket": "backups"}}])
def test_not_one_kind_of_store_is_no_store(storage: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match=r"spec.storage.*Give one of mongodb, s3, gcs, azure, volume"):
        _ = StorageSpec.model_validate(storage).chosen


@pytest.mark.parametrize(
    "endpoint",
    [
        "127.0.0.1:9000",
        "ftp://host",
        "https://u:hunter2@host",
        "https://host:x",
        "http://",
        "https://h?x=1",
        "https://h:0",
    ],
)
def test_an_endpoint_is_a_url_without_credentials_and_options(endpoint: str) -> None:
    with pytest.raises(ValidationError):
        S3Storage(bucket="backups", endpoint=endpoint)


@pytest.mark.parametrize("endpoint", ["http://10.0.0.1:9000", "https://[fd00::1]:9000", "http://host:10000/account/"])
def test_any_server_can_be_named(endpoint: str) -> None:
    assert S3Storage(bucket="backups", endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize("folder", ["../up", "a//b", "/a", ".hidden", "a/.b", "a b", "a?b", ""])
def test_a_folder_stays_below_its_place(folder: str) -> None:
    for storage in ({"s3": {"bucket": "backups", "prefix": folder}}, {"volume": {"claimName": "c", "path": folder}}):
        with pytest.raises(ValidationError):
            StorageSpec.model_validate(storage)
