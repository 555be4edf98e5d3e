"""Whether a database answers."""

from typing import Protocol


class SourceProbe(Protocol):
    """Asks a source whether it can be read; the contract is ``tests/support/probe_contract.py``."""

    def probe(self, uri: str, *, origin: str, read_preference: str) -> str:
        """What answers, in words, such as ``Replica set rs0``. Takes five seconds at most, and reads no data.

        InvalidUri, InvalidSpec, AuthenticationFailed, NotAuthorized or SourceUnavailable if it cannot be read.
        ``origin`` is where the URI came from, for messages.
        """
        ...
