"""Say what the driver says in our own words, without what it may give away.

Codes are those of MongoDB's ``error_codes.yml``. A driver's text may hold a host's name, never a password: a text
about a URI that cannot be read is not passed on at all, for it may quote any part of that URI.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from holdfast.errors import (
    AuthenticationFailed,
    InvalidSpec,
    InvalidUri,
    NotAuthorized,
    OperationFailed,
    SnapshotLost,
    StoreFull,
    Unavailable,
)

UNAUTHORIZED = 13
NAMESPACE_NOT_FOUND = 26
NAMESPACE_EXISTS = 48
INVALID_OPTIONS = 72
DUPLICATE_KEY = 11000
COLLECTION_UUID_MISMATCH = 361
COMMAND_NOT_SUPPORTED_ON_VIEW = 166
# NamespaceNotFound, QueryPlanKilled, SnapshotUnavailable, CollectionUUIDMismatch: what a reader gets when a collection
# goes, or when it came or changed its name after the cluster time.
CATALOGUE_CHANGED = frozenset({26, 175, 246, COLLECTION_UUID_MISMATCH})
_SNAPSHOT_TOO_OLD = 239
_AUTHENTICATION_FAILED = frozenset({11, 18, 8000})
_OUT_OF_DISK_SPACE = 14031
# Interrupted, shutdown, stepdown, host unreachable, time-outs, a cursor lost with its server, a cache under
# pressure: a retry may mend it.
_TRANSIENT = frozenset(
    {6, 7, 43, 50, 64, 89, 91, 112, 134, 189, 202, 237, 262, 290, 317, 358, 384, 388, 9001, 10058, 10107, 11600, 11601,
     11602, 13388, 13435, 13436}
)  # fmt: skip
_LONGEST = 300


@contextmanager
def translate(origin: str, unavailable: type[Unavailable], action: str) -> Iterator[None]:
    """Raise our error for any of the driver's.

    ``origin`` is where the URI came from, ``action`` completes "… failed", and ``unavailable`` is the kind of outage.
    """
    try:
        yield
    except (InvalidURI, ConfigurationError) as error:
        if "wire version" in str(error):  # the driver has no kind of its own for it
            raise InvalidSpec(
                f"{action} failed: the server is older than MongoDB 4.4, or newer than any that is known here.",
                hint="Upgrade the server, or this program.",
            ) from error
        raise invalid_uri(origin) from error
    except WTimeoutError as error:
        raise unavailable(f"{action} failed: a majority of the members did not confirm the write in time.") from error
    except OperationFailure as error:
        raise _operation_failure(error, origin, unavailable, action) from error
    except ConnectionFailure as error:
        raise unavailable(
            f"{action} failed: {_short(error)}.",
            hint=f"Check that the server runs and that the host in the URI from {origin} can be reached from here.",
        ) from error
    except PyMongoError as error:
        raise OperationFailed(f"{action} failed: {_short(error)}.") from error


def invalid_uri(origin: str) -> InvalidUri:
    return InvalidUri(
        f"The MongoDB URI from {origin} cannot be read.",
        hint="It has the form mongodb://user:password@host:27017/database?options; special characters in user and "
        "password are percent-encoded.",
    )


def _operation_failure(error: OperationFailure, origin: str, unavailable: type[Unavailable], action: str) -> Exception:
    code = error.code
    if code in _AUTHENTICATION_FAILED:
        return AuthenticationFailed(
            f"The server refused the user or the password of the URI from {origin}.",
            hint="Correct them, and mind authSource: the database that holds the user.",
        )
    if code == UNAUTHORIZED:
        return NotAuthorized(f"{action} is not allowed to this user: {_short(error)}.")
    if code == _SNAPSHOT_TOO_OLD:
        return SnapshotLost(f"{action} failed: the server no longer keeps the snapshot ({_short(error)}).")
    if code == _OUT_OF_DISK_SPACE:
        return StoreFull(f"{action} failed: the server's disk is full.", hint="Give it more room.")
    if code in _TRANSIENT or error.has_error_label("RetryableWriteError"):
        return unavailable(f"{action} failed: {_short(error)}.")
    return OperationFailed(f"{action} failed: {_short(error)}.")


def _short(error: PyMongoError) -> str:
    """The driver's first words: the rest of them is the topology, printed several times."""
    if isinstance(error, BulkWriteError):
        first = (error.details.get("writeErrors") or [{}])[0]
        return f"{first.get('errmsg', 'a write was refused')}"[:_LONGEST]
    details = getattr(error, "details", None)
    text = str(details.get("errmsg")) if isinstance(details, dict) and details.get("errmsg") else str(error)
    for end in (" (configured timeouts", ", Timeout:", ", full error"):
        text = text.split(end)[0]
    return text[:_LONGEST].rstrip(". ")
