"""The identity that a platform gives a pod: by variables and a token in a file, as its webhook puts them there."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.stores.addresses import Place
from holdfast.stores.buckets import open_bucket
from tests.support.http_answer import HttpAnswer
from tests.support.s3 import REGION, S3

TOKEN = "a-token-of-the-service-account"


@pytest.fixture
def token(tmp_path: Path) -> str:
    path = tmp_path / "token"
    path.write_text(TOKEN, encoding="utf-8")
    return str(path)


def expiration() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def use(s3: S3) -> None:
    """Open a bucket without keys, and write to it."""
    store = open_bucket(Place("s3", s3.new_bucket()), {"AWS_ENDPOINT_URL_S3": s3.endpoint, "AWS_REGION": REGION})
    assert store.create("chunks/ab/abcd", b"data")
    store.close()


def test_eks_pod_identity_is_taken(s3: S3, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {
        "AccessKeyId": s3.settings["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": s3.settings["AWS_SECRET_ACCESS_KEY"],
        "Token": "",
        "Expiration": expiration(),
    }
    with HttpAnswer(json.dumps(keys)) as agent:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent.url}/v1/credentials")
        monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
        use(s3)
        assert agent.requests[0].authorization == TOKEN
