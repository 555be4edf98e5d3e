"""Opens what an address or a URI names: stores and repositories, sources and targets."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from holdfast.domain.database_name import check_database_name
from holdfast.errors import InvalidKey, InvalidSpec, InvalidUri, SecretMissing, StoreUnavailable
from holdfast.mongo.client import OneMember, connect, database_in
from holdfast.mongo.oplog import MongoOplog
from holdfast.mongo.replay import MongoReplayer
from holdfast.mongo.source import MongoSource
from holdfast.mongo.target import MongoTarget
from holdfast.ports import Member, Store, Witness
from holdfast.repository.cipher import key_of
from holdfast.repository.locks import NOBODY
from holdfast.repository.repository import Repository
from holdfast.stores.addresses import KINDS, place_in
from holdfast.stores.buckets import open_bucket
from holdfast.stores.files import FileStore
from holdfast.stores.mongodb import MongoStore

LEVEL = 3
"""zstd's own default: measured to keep up with the wire on two cores."""


def now() -> datetime:
    return datetime.now(UTC)


def read_uri(path: Path, *, origin: str) -> str:
    """A MongoDB URI from a file; ``origin`` names the file, or the Secret behind it, in messages.

    SecretMissing if there is no such file or nothing in it.
    """
    try:
        uri = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretMissing(f"No MongoDB URI: {origin} cannot be read.", hint="Check its name and key.") from error
    if not uri:
        raise SecretMissing(f"No MongoDB URI: {origin} is empty.", hint="Put the connection string there.")
    return uri


def read_key(path: Path, *, origin: str) -> bytes:
    """An encryption key from a file. InvalidKey if there is none in it."""
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidKey(f"No encryption key: {origin} cannot be read.", hint="Check its name and key.") from error
    return key_of(text, origin=origin)


def open_source(
    uri: str,
    database: str | None,
    *,
    origin: str,
    read_preference: str | None = None,
    member: Member | None = None,
) -> MongoSource:
    """The database to back up: the one named, or the one in the URI. InvalidSpec if neither names one.

    ``member``: which one to read from, where another process has chosen it.
    """
    name = database_name(uri, database, origin)
    options: dict[str, Any] = {"readPreference": read_preference} if read_preference else {}
    selector = OneMember(member)
    client = connect(uri, origin=origin, server_selector=selector, **options)
    return MongoSource(client, name, origin=origin, selector=selector)


def open_target(uri: str, database: str, *, origin: str) -> MongoTarget:
    """The database to restore into. It may be written for hours: no time-out on a call but those in the URI."""
    check_database_name(database)
    client = connect(uri, origin=origin, readPreference="primary", socketTimeoutMS=0)
    return MongoTarget(client, database, origin=origin)


def open_oplog(uri: str, *, origin: str, read_preference: str | None = None) -> MongoOplog:
    """The oplog of the server behind a URI, from one member."""
    options: dict[str, Any] = {"readPreference": read_preference} if read_preference else {}
    return MongoOplog(connect(uri, origin=origin, server_selector=OneMember(), **options), origin=origin)


def open_replayer(uri: str, database: str, *, origin: str) -> MongoReplayer:
    """What repeats operations in a database. An index may take hours: no time-out on a call but those in the URI."""
    check_database_name(database)
    client = connect(uri, origin=origin, readPreference="primary", socketTimeoutMS=0)
    return MongoReplayer(client, database, origin=origin)


def open_mongodb_store(uri: str, database: str | None, *, origin: str) -> MongoStore:
    name = database_name(uri, database, origin)
    client = connect(uri, origin=origin, unavailable=StoreUnavailable, readPreference="primary")
    return MongoStore(client, name, origin=origin)


def open_store(address: str, *, uri: str | None, uri_origin: str, database: str | None) -> Store:
    """The store behind a repository's address on the command line.

    ``mongodb:`` lies beside the source (``uri``), in ``database`` or the one in the URI; ``mongodb:NAME`` in another
    database of that server; ``mongodb+file:PATH`` takes another URI from a file; ``file:///PATH`` is a directory;
    ``s3://``, ``gs://`` and ``az://`` name a bucket, which the environment says how to reach. Raises InvalidUri for
    any other.
    """
    kind, _, rest = address.partition(":")
    if kind == "mongodb" and not rest.startswith("//"):
        if uri is None:
            raise InvalidUri(
                f"The repository {address!r} lies beside the source, and no source is given.",
                hint="Set MONGODB_URI, or give --uri-file.",
            )
        return open_mongodb_store(uri, rest or database, origin=uri_origin)
    if kind == "mongodb+file" and rest:
        origin = f"file {rest}"
        return open_mongodb_store(read_uri(Path(rest), origin=origin), None, origin=origin)
    if kind == "file" and rest.startswith("///"):
        return FileStore(Path(rest.removeprefix("//")))
    if kind in KINDS:
        return open_bucket(place_in(address), os.environ)
    if kind in ("mongodb", "mongodb+srv"):
        # Not quoted: it may hold a password, which is also why it is not taken.
        raise InvalidUri(
            "A MongoDB URI is not taken from the command line, where every user of this machine can see it.",
            hint="Put it into a file and give --repository mongodb+file:PATH.",
        )
    raise InvalidUri(
        f"{kind!r} is not a kind of repository.",
        hint="There are mongodb:, mongodb+file:PATH, file:///PATH, s3://, gs:// and az://BUCKET/PREFIX.",
    )


def open_repository(
    store: Store, *, level: int = LEVEL, key: bytes | None = None, witness: Witness = NOBODY
) -> Repository:
    return Repository(store, compression_level=level, key=key, witness=witness)


def database_name(uri: str, database: str | None, origin: str) -> str:
    name = database or database_in(uri, origin=origin)
    if not name:
        raise InvalidSpec(
            f"No database is named, neither by its own setting nor in the URI from {origin}.",
            hint="Add it to the URI (…:27017/NAME?…) or name it.",
        )
    return check_database_name(name)
