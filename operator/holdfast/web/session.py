"""Who has signed in: a token of the cluster in a cookie that only we can read, for an hour or so.

Nothing is kept on the server, so every replica with the same key knows every session. The token itself is shown to the
cluster again with each request: when it expires or is taken away, the session is over too.
"""

import json
import secrets
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from fastapi import Request

from holdfast.errors import InvalidSpec

COOKIE = "__Host-holdfast"
"""The prefix: browsers take it from nobody but this very host, by TLS, for all of its paths."""
COOKIE_LIMIT = 3800
"""Browsers keep cookies of 4096 bytes, with name and attributes."""
KEY_BYTES = 32


@dataclass(frozen=True)
class Session:
    """What the cookie holds."""

    token: str
    secret: str
    """Each form carries it: who only makes a browser send our cookie does not know it."""


class Sessions:
    """Seals sessions into cookies. ``key``: any secret; without one, a session ends with the process."""

    def __init__(self, key: bytes | None, lifetime: timedelta, clock: Callable[[], datetime]) -> None:
        digest = sha256(b"holdfast session\0" + (key or secrets.token_bytes(KEY_BYTES))).digest()
        self._fernet = Fernet(urlsafe_b64encode(digest))
        self.lifetime, self._clock = lifetime, clock

    def begin(self, token: str) -> str:
        """A new session, as its cookie. InvalidSpec if the token is too long for one."""
        fields = json.dumps([token, secrets.token_urlsafe(KEY_BYTES)])
        # A token is text in base64, and so is the cookie: packed, it comes out about as long as it went in.
        cookie = self._fernet.encrypt_at_time(zlib.compress(fields.encode(), 9), self._now()).decode()
        if len(cookie) > COOKIE_LIMIT:
            raise InvalidSpec(
                f"The token is too long for a session: {len(token)} characters.",
                hint="Sign in with a shorter one, such as that of `kubectl create token`.",
            )
        return cookie

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None if it is not one of ours, or over."""
        if not cookie or len(cookie) > COOKIE_LIMIT:
            return None
        try:
            seconds = int(self.lifetime.total_seconds())
            data = self._fernet.decrypt_at_time(cookie.encode(), seconds, self._now())
        except (InvalidToken, UnicodeEncodeError):
            return None
        token, secret = json.loads(zlib.decompress(data))
        return Session(token, secret)

    def _now(self) -> int:
        return int(self._clock().timestamp())


def session_of(request: Request) -> Session | None:
    """The session that a request brings, whatever its token is worth by now."""
    sessions: Sessions = request.app.state.sessions
    return sessions.read(request.cookies.get(COOKIE))


def read_key(path: Path | None) -> bytes | None:
    """The key that all replicas share. InvalidSpec if the file cannot be read, or is too short to be a key."""
    if path is None:
        return None
    try:
        key = path.read_bytes()
    except OSError as error:
        raise InvalidSpec(
            f"HOLDFAST_SESSION_KEY_FILE: it cannot be read: {error.strerror}.", hint="Check the Secret that is mounted."
        ) from error
    if len(key) < KEY_BYTES:
        raise InvalidSpec(
            f"HOLDFAST_SESSION_KEY_FILE: {len(key)} bytes are no key.", hint=f"Put {KEY_BYTES} random ones into it."
        )
    return key
