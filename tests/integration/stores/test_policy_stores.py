"""Where a policy keeps its backups, opened as the worker does it: with what the kubelet mounted, and nothing else."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.consistency import Consistency
from holdfast.errors import AuthenticationFailed, InvalidSpec, NotAuthorized, SecretMissing, StoreUnavailable
from holdfast.repository.repository import new_backup_id
from holdfast.resources.policy import BackupPolicy
from holdfast.services.back_up import back_up
from holdfast.services.backup_request import BackupRequest
from holdfast.services.verify import verify
from holdfast.specs.store_access import mounted_secrets
from holdfast.wiring.opening import now
from holdfast.wiring.policies import open_for_policy
from tests.support.azure import ACCOUNT, Azure
from tests.support.certificate import make_certificate
from tests.support.engine import Recorder
from tests.support.gcs import Gcs
from tests.support.kube_objects import policy_model
from tests.support.mongod import Mongod
from tests.support.s3 import REGION, S3

DOCUMENTS = 20
KEYS = {"credentialsSecretRef": {"name": "keys"}}


class Pod:
    """The folders that the kubelet mounts for a policy."""

    def __init__(self, root: Path, uri: str, database: str) -> None:
        self.root, self._database = root, database
        self.volume = root / "volume"
        self._write("source", {"uri": uri})

    def policy(self, storage: Mapping[str, Any], **secrets: Mapping[str, str]) -> BackupPolicy:
        """A policy; ``secrets`` hold keys and values, and only those that it names are mounted."""
        policy = policy_model(
            source={"uriSecretRef": {"name": "source"}, "database": self._database}, storage=dict(storage)
        )
        for folder, mount in mounted_secrets(policy).items():
            data = secrets.get(mount.name, {})
            self._write(folder, {file: data[key] for key, file in mount.files.items() if key in data})
        return policy

    def back_up(self, policy: BackupPolicy) -> int:
        """Take a backup, verify it, and return the number of its documents."""
        with open_for_policy(policy, mounts=self.root) as (source, repository):
            started = now()
            request = BackupRequest(
                backup_id=new_backup_id(started, "0" * 8),
                policy=None,
                include=(),
                exclude=(),
                consistency=Consistency.REQUIRED,
                started=started,
                max_bytes_per_second=None,
            )
            outcome = back_up(request, source, repository, Recorder(), now, Event())
            report = verify(repository, outcome.manifest, read_data=True, stop=Event())
            assert not report.problems
            return sum(collection.documents for collection in outcome.manifest.collections)

    def _write(self, folder: str, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")


@pytest.fixture
def pod(tmp_path: Path, mongod: Mongod, database: Database[dict[str, Any]]) -> Pod:
    database["entries"].insert_many([{"_id": number} for number in range(DOCUMENTS)])
    return Pod(tmp_path, mongod.uri, database.name)


@pytest.fixture
def s3_storage(s3: S3) -> dict[str, Any]:
    return {"bucket": s3.new_bucket(), "prefix": "team/shop", "endpoint": s3.endpoint, "region": REGION, **KEYS}


def keys_of(s3: S3) -> dict[str, str]:
    return {name: value for name, value in s3.settings.items() if name.startswith("AWS_") and "KEY" in name}


def test_backups_lie_in_s3_below_the_prefix(pod: Pod, s3: S3, s3_storage: dict[str, Any]) -> None:
    # A line break at the end of a value is what `echo` leaves in a file.
    keys = {name: f"{value}\n" for name, value in keys_of(s3).items()}
    assert pod.back_up(pod.policy({"s3": s3_storage}, keys=keys)) == DOCUMENTS
    bucket = s3.buckets / s3_storage["bucket"]
    assert [path.name for path in bucket.iterdir() if not path.name.startswith(".")] == ["team"]
    assert list(bucket.glob("team/shop/backups/*"))


def test_no_credential_reaches_the_environment(pod: Pod, s3: S3, s3_storage: dict[str, Any]) -> None:
    pod.back_up(pod.policy({"s3": s3_storage}, keys=keys_of(s3)))
    assert not [name for name in os.environ if name in keys_of(s3)]


def test_backups_lie_in_google_cloud_storage(pod: Pod, gcs: Gcs) -> None:
    # As emulators take it: a key that says that no token is needed.
    key = json.dumps({"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""})
    reference = {"name": "keys", "key": "key.json"}
    storage = {"bucket": gcs.new_bucket(), "endpoint": gcs.settings["GOOGLE_BASE_URL"]}
    policy = pod.policy({"gcs": {**storage, "credentialsSecretRef": reference}}, keys={"key.json": key})
    assert pod.back_up(policy) == DOCUMENTS
    with pytest.raises(InvalidSpec, match=r"key\.json in Secret default/keys") as refused:
        pod.back_up(pod.policy({"gcs": {**storage, "credentialsSecretRef": reference}}, keys={"key.json": "hunter2"}))
    assert "hunter2" not in str(refused.value)


def test_backups_lie_in_azure(pod: Pod, azure: Azure) -> None:
    storage = {
        "account": ACCOUNT,
        "container": azure.new_bucket(),
        "prefix": "team",
        "endpoint": azure.settings["AZURE_STORAGE_ENDPOINT"],
        **KEYS,
    }
    keys = {"AZURE_STORAGE_ACCOUNT_KEY": azure.settings["AZURE_STORAGE_ACCOUNT_KEY"]}
    assert pod.back_up(pod.policy({"azure": storage}, keys=keys)) == DOCUMENTS


def test_backups_lie_on_a_volume_in_a_folder_that_is_made(pod: Pod) -> None:
    pod.volume.mkdir()
    policy = pod.policy({"volume": {"claimName": "backups", "path": "team/shop"}})
    assert pod.back_up(policy) == DOCUMENTS
    assert pod.back_up(policy) == DOCUMENTS
    assert list((pod.volume / "team/shop/backups").iterdir())


def test_backups_lie_at_the_top_of_a_volume(pod: Pod) -> None:
    pod.volume.mkdir()
    assert pod.back_up(pod.policy({"volume": {"claimName": "backups"}})) == DOCUMENTS
    assert (pod.volume / "backups").is_dir()


def test_a_volume_that_is_not_mounted_is_no_empty_repository(pod: Pod) -> None:
    with pytest.raises(InvalidSpec, match="There is no directory"):
        pod.back_up(pod.policy({"volume": {"claimName": "backups", "path": "team"}}))
    assert not pod.volume.exists()


def test_a_volume_is_told_by_the_name_of_its_claim(pod: Pod) -> None:
    pod.volume.mkdir()
    with open_for_policy(pod.policy({"volume": {"claimName": "backups"}}), mounts=pod.root) as (_, repository):
        assert repository.store.address == "PersistentVolumeClaim default/backups"


def test_backups_lie_in_another_mongodb_with_a_uri_of_its_own(
    pod: Pod, mongod: Mongod, standalone: Mongod, database: Database[dict[str, Any]]
) -> None:
    name = f"{database.name}_vault"
    storage = {"mongodb": {"uriSecretRef": {"name": "vault"}, "database": name}}
    assert pod.back_up(pod.policy(storage, vault={"MONGODB_URI": standalone.uri})) == DOCUMENTS
    assert standalone.client[name]["backupmetadatas"].estimated_document_count()
    assert name not in mongod.client.list_database_names()
    standalone.client.drop_database(name)


@pytest.mark.parametrize("wrong", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_keys_name_the_secret_to_look_at_and_not_what_it_holds(
    pod: Pod, s3: S3, s3_storage: dict[str, Any], wrong: str
) -> None:
    policy = pod.policy({"s3": s3_storage}, keys={**keys_of(s3), wrong: "hunter2"})
    with pytest.raises(AuthenticationFailed, match=r"AWS_SECRET_ACCESS_KEY in Secret default/keys") as refused:
        pod.back_up(policy)
    assert "hunter2" not in str(refused.value)
    assert keys_of(s3)["AWS_SECRET_ACCESS_KEY"] not in str(refused.value)


def test_a_secret_that_is_not_mounted_is_named_with_its_keys(pod: Pod, s3_storage: dict[str, Any]) -> None:
    said = r"Secret default/keys cannot be read, or has no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY"
    with pytest.raises(SecretMissing, match=said):
        pod.back_up(pod.policy({"s3": s3_storage}))


def test_without_a_secret_the_identity_of_the_pod_is_taken(
    pod: Pod, s3: S3, s3_storage: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    del s3_storage["credentialsSecretRef"]
    with pytest.raises(AuthenticationFailed, match="identity of ServiceAccount default/holdfast-shop"):
        pod.back_up(pod.policy({"s3": s3_storage}))
    for name, value in keys_of(s3).items():
        monkeypatch.setenv(name, value)
    assert pod.back_up(pod.policy({"s3": s3_storage})) == DOCUMENTS


def test_the_policy_wins_over_the_environment(
    pod: Pod, s3: S3, s3_storage: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "nowhere-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    assert pod.back_up(pod.policy({"s3": s3_storage}, keys=keys_of(s3))) == DOCUMENTS


def test_a_user_without_rights_is_told_which_are_needed(pod: Pod, s3: S3, s3_storage: dict[str, Any]) -> None:
    user = {name: value for name, value in s3.new_user().items() if "KEY" in name}
    with pytest.raises(NotAuthorized, match="read, write and delete"):
        pod.back_up(pod.policy({"s3": s3_storage}, keys=user))


def test_another_region_is_said_in_terms_of_the_policy(pod: Pod, s3: S3, s3_storage: dict[str, Any]) -> None:
    with pytest.raises(InvalidSpec, match=r"Set spec\.storage\.s3\.region"):
        pod.back_up(pod.policy({"s3": {**s3_storage, "region": "eu-west-1"}}, keys=keys_of(s3)))


@pytest.fixture
def private(tmp_path: Path) -> Iterator[tuple[S3, str]]:
    """A server with a certificate of a private authority, and the authority's."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    certificate, key, authority = make_certificate(folder)
    with ExitStack() as stack:
        yield stack.enter_context(S3(certificate=(certificate, key))), authority.read_text(encoding="utf-8")


def test_a_private_authority_is_trusted_where_the_policy_names_it(pod: Pod, private: tuple[S3, str]) -> None:
    s3, authority = private
    storage = {"bucket": s3.new_bucket(), "endpoint": s3.endpoint, "region": REGION, **KEYS}
    with pytest.raises(StoreUnavailable, match=r"spec\.storage\.s3\.caSecretRef"):
        pod.back_up(pod.policy({"s3": storage}, keys=keys_of(s3)))
    storage["caSecretRef"] = {"name": "ca"}
    with pytest.raises(SecretMissing, match=r"Secret default/ca .*ca\.crt"):
        pod.back_up(pod.policy({"s3": storage}, keys=keys_of(s3)))
    assert pod.back_up(pod.policy({"s3": storage}, keys=keys_of(s3), ca={"ca.crt": authority})) == DOCUMENTS
