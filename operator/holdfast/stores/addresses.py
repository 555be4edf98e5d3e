"""Addresses of buckets on the command line: ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix``."""

import re
from dataclasses import dataclass

from holdfast.errors import InvalidUri

KINDS = ("s3", "gs", "az")
_BUCKET = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{1,220}")
# A part that begins with a dot is hidden or special somewhere; the rest is safe in every store and needs no quoting.
_PART = re.compile(r"[a-zA-Z0-9_-][a-zA-Z0-9._-]*")


@dataclass(frozen=True)
class Place:
    """A bucket (Azure: a container) and the folder in it where a repository lies."""

    kind: str
    bucket: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.kind}://{self.bucket}/{self.prefix}".rstrip("/")


def place_in(address: str) -> Place:
    """What an address of one of ``KINDS`` names. InvalidUri if it names no bucket, or has a form that is not ours.

    The address is quoted in no message: somebody may have written credentials into it.
    """
    kind, _, rest = address.partition("://")
    if kind not in KINDS:
        raise InvalidUri(f"An address of a bucket begins with one of {', '.join(f'{kind}://' for kind in KINDS)}.")
    form = f"The form is {kind}://{'CONTAINER' if kind == 'az' else 'BUCKET'} or {kind}://…/PREFIX."
    if any(character in rest for character in "@?#"):
        raise InvalidUri(
            f"A {kind}:// address holds no user, no options and no credentials.",
            hint=f"{form} Credentials and the endpoint are taken from the environment.",
        )
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise InvalidUri(f"The {kind}:// address names no bucket that can exist.", hint=form)
    prefix = prefix.removesuffix("/")
    if prefix and not all(_PART.fullmatch(part) for part in prefix.split("/")):
        raise InvalidUri(
            f"The prefix in the address of bucket {bucket!r} cannot be used.",
            hint="It consists of letters, digits and . _ - in parts that a / separates and that begin with no dot.",
        )
    return Place(kind, bucket, prefix)
