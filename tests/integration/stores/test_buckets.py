"""How a bucket is opened, what is said when that does not work, and that no secret is said."""

import base64
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import GenericError

from holdfast.errors import AuthenticationFailed, InvalidSpec, InvalidUri, NotAuthorized, StoreUnavailable
from holdfast.stores.addresses import Place
from holdfast.stores.buckets import open_bucket
from holdfast.wiring.opening import open_store
from tests.support.azure import Azure, new_key
from tests.support.certificate import make_certificate
from tests.support.gcs import Gcs
from tests.support.s3 import S3

KEY = "chunks/ab/abcd"
KINDS = {"s3": "s3", "gcs": "gs", "azure": "az"}
NOBODY = "http://127.0.0.1:1"


@pytest.fixture(params=KINDS)
def cloud(request: pytest.FixtureRequest) -> tuple[str, S3 | Gcs | Azure]:
    """A server, and the first word of the addresses of its buckets."""
    return KINDS[request.param], request.getfixturevalue(request.param)


def test_an_address_and_the_environment_are_enough(
    cloud: tuple[str, S3 | Gcs | Azure], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, server = cloud
    for name, value in server.settings.items():
        monkeypatch.setenv(name, value)
    store = open_store(f"{kind}://{server.new_bucket()}/team/db", uri=None, uri_origin="", database=None)
    assert store.create(KEY, b"data")
    store.close()


def test_an_address_names_bucket_and_endpoint_and_no_secret(cloud: tuple[str, S3 | Gcs | Azure]) -> None:
    kind, server = cloud
    bucket = server.new_bucket()
    store = open_bucket(Place(kind, bucket, "team/db"), server.settings)
    assert store.address.startswith(f"{kind}://{bucket}/team/db at http://127.0.0.1:{server.port}")
    assert not [value for name, value in server.settings.items() if "KEY" in name and value in store.address]
    store.close()


def test_repositories_in_one_bucket_do_not_see_each_other(cloud: tuple[str, S3 | Gcs | Azure]) -> None:
    kind, server = cloud
    bucket = server.new_bucket()
    prefixes = ("", "team/db", "team/db2", "team")
    stores = {prefix: open_bucket(Place(kind, bucket, prefix), server.settings) for prefix in prefixes}
    for prefix, store in stores.items():
        assert store.create(KEY, prefix.encode())
    for prefix, store in stores.items():
        assert (store.read(KEY), list(store.keys("chunks/"))) == (prefix.encode(), [KEY])
    stores["team"].delete(KEY)
    assert [stores[prefix].size(KEY) for prefix in prefixes] == [0, 7, 8, None]
    for store in stores.values():
        store.close()


def test_a_bucket_that_is_not_there_is_said(cloud: tuple[str, S3 | Gcs | Azure]) -> None:
    kind, server = cloud
    with pytest.raises(InvalidSpec, match="no bucket 'nowhere-1'"):
        open_bucket(Place(kind, "nowhere-1"), server.settings)


def test_a_bucket_that_goes_away_is_no_empty_repository(s3: S3) -> None:
    bucket = s3.new_bucket()
    store = open_bucket(Place("s3", bucket), s3.settings)
    (s3.buckets / bucket).rmdir()
    for call in (lambda: store.read(KEY), lambda: store.create(KEY, b""), lambda: list(store.keys("chunks/"))):
        with pytest.raises(InvalidSpec, match=bucket):
            call()
    store.close()


@pytest.mark.parametrize("wrong", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_keys_for_s3_are_said_without_them(s3: S3, wrong: str) -> None:
    with pytest.raises(AuthenticationFailed, match="AWS_SECRET_ACCESS_KEY") as refused:
        open_bucket(Place("s3", s3.new_bucket()), {**s3.settings, wrong: "hunter2"})
    assert_no_secret(refused, "hunter2", s3.settings["AWS_SECRET_ACCESS_KEY"])


def test_a_wrong_key_for_azure_is_said_without_it(azure: Azure) -> None:
    wrong = new_key()
    with pytest.raises(AuthenticationFailed, match="AZURE_STORAGE_ACCOUNT_KEY") as refused:
        open_bucket(Place("az", azure.new_bucket()), {**azure.settings, "AZURE_STORAGE_ACCOUNT_KEY": wrong})
    assert_no_secret(refused, wrong)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("az", {"AZURE_STORAGE_ACCOUNT_KEY": base64.b64encode(b"hunter2").decode()}),  # no account
        ("az", {"AZURE_STORAGE_ACCOUNT_NAME": "x", "AZURE_STORAGE_ACCOUNT_KEY": "hunter2"}),  # not base64
        ("gs", {"GOOGLE_SERVICE_ACCOUNT_KEY": '{"private_key": "hunter2"}'}),
        ("gs", {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/hunter2"}),
    ],
)
def test_settings_that_make_no_sense_are_said_without_them(kind: str, settings: dict[str, str]) -> None:
    with pytest.raises(InvalidSpec, match="settings") as refused:
        open_bucket(Place(kind, "bucket"), settings)
    assert_no_secret(refused, "hunter2")


def test_where_no_credentials_can_be_had_it_says_how_to_give_some(s3: S3) -> None:
    settings = {"AWS_ENDPOINT_URL": s3.endpoint, "AWS_METADATA_ENDPOINT": NOBODY}
    with pytest.raises(AuthenticationFailed, match=r"no credentials.*AWS_ACCESS_KEY_ID"):
        open_bucket(Place("s3", s3.new_bucket()), settings)


def test_a_user_without_rights_is_told_which_are_needed(s3: S3) -> None:
    with pytest.raises(NotAuthorized, match="read, write and delete"):
        open_bucket(Place("s3", s3.new_bucket()), s3.new_user())


def test_a_bucket_that_can_only_be_read_is_read_and_not_written(s3: S3) -> None:
    bucket = s3.new_bucket()
    writable = open_bucket(Place("s3", bucket), s3.settings)
    writable.create(KEY, b"data")
    writable.close()
    with S3(read_only=True, buckets=s3.buckets) as server:
        store = open_bucket(Place("s3", bucket), server.settings)
        assert store.read(KEY) == b"data"
        with pytest.raises(NotAuthorized, match=bucket):
            store.check_writable()
        store.close()


def test_another_region_is_said_to_be_one(s3: S3) -> None:
    with pytest.raises(InvalidSpec, match="AWS_REGION"):
        open_bucket(Place("s3", s3.new_bucket()), {**s3.settings, "AWS_REGION": "eu-west-1"})


@pytest.mark.parametrize(
    ("kind", "endpoint"),
    [("s3", "AWS_ENDPOINT_URL"), ("gs", "GOOGLE_BASE_URL"), ("az", "AZURE_STORAGE_ENDPOINT")],
)
def test_an_endpoint_where_nobody_answers_is_unavailable(kind: str, endpoint: str) -> None:
    settings = {
        endpoint: NOBODY,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "GOOGLE_BEARER_TOKEN": "hunter2",
        "AZURE_STORAGE_ACCOUNT_NAME": "x",
        "AZURE_STORAGE_ACCOUNT_KEY": new_key(),
    }
    with pytest.raises(StoreUnavailable, match=r"bucket at http://127\.0\.0\.1:1 .*no connection") as refused:
        open_bucket(Place(kind, "bucket"), settings)
    assert_no_secret(refused, "hunter2")


@pytest.mark.parametrize("url", ["127.0.0.1:9000", "ftp://host", "https://u:hunter2@host", "https://host:x", "http://"])
def test_an_endpoint_that_is_none_is_refused_unquoted(url: str) -> None:
    with pytest.raises(InvalidUri, match="AWS_ENDPOINT_URL") as refused:
        open_bucket(Place("s3", "bucket"), {"AWS_ENDPOINT_URL": url})
    assert_no_secret(refused, "hunter2")


def test_a_private_authority_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    certificate, key, authority = make_certificate(tmp_path)
    with S3(certificate=(certificate, key)) as server:
        place = Place("s3", server.new_bucket())
        with pytest.raises(StoreUnavailable, match=r"certificate is not trusted.*AWS_CA_BUNDLE"):
            open_bucket(place, server.settings)
        store = open_bucket(place, {**server.settings, "AWS_CA_BUNDLE": str(authority)})
        assert store.create(KEY, b"data")
        store.close()


def test_certificates_that_cannot_be_read_are_said(s3: S3) -> None:
    with pytest.raises(InvalidSpec, match="/nowhere, named by AWS_CA_BUNDLE"):
        open_bucket(Place("s3", s3.new_bucket()), {**s3.settings, "AWS_CA_BUNDLE": "/nowhere"})


def assert_no_secret(refused: pytest.ExceptionInfo[Any], *secrets: str) -> None:
    """Neither in what is said, nor in the causes that a log may show."""
    error: BaseException | None = refused.value
    while error:
        assert not [secret for secret in secrets if secret in str(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


Deletions = list[tuple[Any, list[str]]]


@pytest.fixture
def deletions(monkeypatch: pytest.MonkeyPatch) -> Deletions:
    """What the client is asked to delete, and by which client."""
    asked: Deletions = []
    real = obstore.delete_async

    def delete(client: Any, keys: Any) -> Any:
        asked.append((client, keys))
        return real(client, keys)

    monkeypatch.setattr(obstore, "delete_async", delete)
    return asked


def test_a_thousand_objects_of_s3_go_by_one_request(s3: S3, deletions: Deletions) -> None:
    store = open_bucket(Place("s3", s3.new_bucket(), "team/db"), s3.settings)
    keys = [f"chunks/ab/{number:04}" for number in range(40)]
    for key in keys:
        store.create(key, b"data")
    store.delete_many([*keys, *(f"chunks/cd/{number:04}" for number in range(1000))])
    assert [len(asked) for _, asked in deletions] == [1000, 40]
    assert {client.config["disable_bulk_delete"] for client, _ in deletions} == {"false"}
    assert list(store.keys("chunks/")) == []
    store.close()


def test_a_server_that_cannot_delete_many_at_once_is_asked_for_each(
    s3: S3, deletions: Deletions, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_bucket(Place("s3", s3.new_bucket()), s3.settings)
    keys = [f"chunks/ab/{number}" for number in range(5)]
    for key in keys:
        store.create(key, b"data")
    counted = obstore.delete_async

    def delete(client: Any, asked: Any) -> Any:
        if client.config["disable_bulk_delete"] == "false":
            raise GenericError("Server returned non-2xx status code: 501 Not Implemented")
        return counted(client, asked)

    monkeypatch.setattr(obstore, "delete_async", delete)
    store.delete_many(keys)
    assert [asked for _, asked in deletions] == [keys]
    assert list(store.keys("chunks/")) == []
    store.close()
