"""What can be said about a MongoDB URI without a driver: its form, and the database that it names.

No message ever quotes the URI: it holds a password.
"""

from urllib.parse import unquote

from holdfast.errors import InvalidUri

_SCHEMES = ("mongodb://", "mongodb+srv://")
_HINT = "The form is mongodb://user:password@host:27017/database?options."


def uri_database(uri: str, where: str) -> str | None:
    """Given a URI and where it was found, return the database in it; InvalidUri if it has not the form of one."""
    text = uri.strip()
    if not text:
        raise InvalidUri(f"{where} is empty.", hint=_HINT)
    scheme = next((scheme for scheme in _SCHEMES if text.startswith(scheme)), None)
    if scheme is None:
        raise InvalidUri(
            f"{where} is not a MongoDB URI: it does not start with mongodb:// or mongodb+srv://.", hint=_HINT
        )
    rest = text.removeprefix(scheme).split("?", 1)[0]
    authority, _, path = rest.partition("/")
    hosts = authority.rpartition("@")[2]
    if not hosts or any(not host for host in hosts.split(",")):
        raise InvalidUri(f"{where} names no host.", hint=_HINT)
    if any(character.isspace() for character in text):
        raise InvalidUri(f"{where} holds white space.", hint="Percent-encode special characters of the password.")
    userinfo = authority.rpartition("@")[0]
    # A user or a password with one of these moves everything behind it to another place.
    if "@" in userinfo or userinfo.count(":") > 1 or "/" in path or "@" in path:
        raise InvalidUri(
            f"{where} has @, : or / in a place where a MongoDB URI has none.",
            hint="Percent-encode special characters of the user and the password.",
        )
    return unquote(path) or None
