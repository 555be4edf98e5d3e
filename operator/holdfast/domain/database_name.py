"""Which names a database may have, so that a wrong one is said before anything is asked of a server."""

from holdfast.errors import InvalidSpec

SERVER_OWN = frozenset({"admin", "config", "local"})
_LONGEST_BYTES = 63
_ILLEGAL = frozenset('/\\. "$*<>:|?\0')
"""Illegal on one platform or another (MongoDB manual, "Naming Restrictions")."""


def check_database_name(name: str) -> str:
    """The name itself. InvalidSpec if no application's database can have it."""
    if name in SERVER_OWN:
        raise InvalidSpec(f"Database {name!r} belongs to the server itself.", hint="Name the application's database.")
    if not name or len(name.encode()) > _LONGEST_BYTES or _ILLEGAL & set(name):
        raise InvalidSpec(
            f"{name!r} is not a name that a database can have.",
            hint='It has 1 to 63 bytes and none of / \\ . " $ * < > : | ? or a space.',
        )
    return name
