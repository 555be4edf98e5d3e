"""The real mongodump and mongorestore, built from MongoDB's own Go module.

Their file formats are what `holdfast export` writes and `holdfast import` reads, and the benchmark races them.
"""

import sys
from pathlib import Path

from tests.support.server_programs import ServerError, go_programs

VERSION = "100.6.1"
"""The release that the folder `servers/mongotools` pins: the Go module has no tags of its own for it."""
_MODULE = "github.com/mongodb/mongo-tools"


def mongodump() -> Path:
    """The program mongodump. ServerError if it cannot be built."""
    return _tools() / "mongodump"


def mongorestore() -> Path:
    """The program mongorestore. ServerError if it cannot be built."""
    return _tools() / "mongorestore"


def _tools() -> Path:
    packages = {name: f"{_MODULE}/{name}/main" for name in ("mongodump", "mongorestore")}
    return go_programs("mongotools", packages, flags=f"-X main.VersionStr={VERSION}")


if __name__ == "__main__":
    try:
        print(mongodump(), mongorestore(), sep="\n")
    except ServerError as problem:
        sys.exit(f"error: {problem}")
