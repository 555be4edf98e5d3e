"""Servers that stand for the clouds, each started when the first test asks for it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.azure import Azure
from tests.support.gcs import Gcs
from tests.support.s3 import S3
from tests.support.server_programs import ServerError

FOLDER = Path(__file__).parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build the servers before the first test: it may take minutes once, and a test has a time limit."""
    if any(item.path.parent == FOLDER for item in session.items) and not session.config.option.collectonly:
        with suppress(ServerError):  # said by the tests that need it
            for server in (S3, Gcs, Azure):
                server.install()


@pytest.fixture(autouse=True)
def only_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the clouds of whoever runs it; no client looks for a machine's role outside this machine."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with S3() as server:
        yield server


@pytest.fixture(scope="session")
def gcs() -> Iterator[Gcs]:
    with Gcs() as server:
        yield server


@pytest.fixture(scope="session")
def azure() -> Iterator[Azure]:
    with Azure() as server:
        yield server
