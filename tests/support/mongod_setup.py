"""The few commands that turn a fresh mongod into a replica set with a root user."""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import MongoClient

from tests.support.mongod_binary import MongodError
from tests.support.mongod_files import REPLICA_SET, ROOT_USER


def initiate(client: MongoClient[dict[str, Any]], address: str) -> None:
    """Make the server a replica set of one node, known by `address` (host:port)."""
    members = [{"_id": 0, "host": address}]
    client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})


def wait_until_writable(client: MongoClient[dict[str, Any]], deadline: float) -> None:
    """Wait until the server takes writes; raises MongodError after `deadline` (time.monotonic() seconds).

    The server itself holds back its answer until its state changes.
    """
    reply = client.admin.command("isMaster")  # older servers know no hello
    while not reply["ismaster"]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise MongodError("mongod did not become the primary of its replica set in time")
        patience = int(min(left, 5) * 1000)
        reply = client.admin.command("isMaster", topologyVersion=reply["topologyVersion"], maxAwaitTimeMS=patience)


def create_root(client: MongoClient[dict[str, Any]], password: str) -> None:
    """Create the first user; works once, from this machine, before there is any user."""
    client.admin.command("createUser", ROOT_USER, pwd=password, roles=["root"])


def new_user(
    client: MongoClient[dict[str, Any]], name: str, roles: Sequence[str | Mapping[str, str]], database: str
) -> str:
    """Create a user with a random password in a database, and return that password."""
    password = secrets.token_urlsafe(24)
    client[database].command("createUser", name, pwd=password, roles=list(roles))
    return password
