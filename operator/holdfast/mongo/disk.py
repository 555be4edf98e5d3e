"""Room on a server's disk."""

from pymongo.database import Database
from pymongo.errors import OperationFailure

from holdfast.mongo.client import Document
from holdfast.mongo.errors import UNAUTHORIZED


def free_bytes(database: Database[Document]) -> int | None:
    """What is left, or None where the server does not say. Raises the driver's errors."""
    try:
        stats = database.command("dbStats")
    except OperationFailure as error:
        if error.code == UNAUTHORIZED:
            return None  # a user that may only read and write collections cannot ask
        raise
    total, used = stats.get("fsTotalSize"), stats.get("fsUsedSize")
    return int(total - used) if total and used is not None else None
