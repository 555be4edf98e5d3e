"""Room on a server's disk."""

from pymongo.database import Database
from pymongo.errors import OperationFailure

from holdfast.mongo.client import Document
from holdfast.mongo.errors import UNAUTHORIZED


def free_bytes(database: Database[Document]) -> int | None:
    """What is left, or None where the server does not say. Raises the driver's errors."""
    # Of a database that is not there yet, the server says nothing; of another, the user may not be allowed to ask.
    for one in (database, database.client["admin"]):
        try:
            stats = one.command("dbStats")
        except OperationFailure as error:
            if error.code != UNAUTHORIZED:
                raise
            continue
        if stats.get("fsTotalSize"):
            return int(stats["fsTotalSize"] - stats["fsUsedSize"])
    return None
