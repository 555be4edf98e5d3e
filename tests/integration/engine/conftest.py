"""An engine on the session's replica set, and URIs that lead to nothing."""

import socket
from collections.abc import Callable, Iterator

import pytest

from holdfast.errors import AuthenticationFailed, HoldfastError
from tests.support.engine import Engine
from tests.support.mongod import Mongod

UriToFail = Callable[[type[HoldfastError], str], str]


@pytest.fixture
def engine(mongod: Mongod) -> Engine:
    return Engine(mongod.uri)


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def uri_to_fail(mongod: Mongod, silent: str) -> UriToFail:
    """A URI with that password which fails so: the server refuses it, or nobody answers."""

    def uri(error: type[HoldfastError], password: str) -> str:
        if error is AuthenticationFailed:
            return mongod.uri_for("nobody", password)
        return f"mongodb://me:{password}@{silent}/"

    return uri
