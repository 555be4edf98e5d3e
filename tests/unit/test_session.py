"""Sessions of the dashboard: sealed into a cookie, for a while, for every replica with the same key."""

from base64 import urlsafe_b64decode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.errors import InvalidSpec
from holdfast.web.session import COOKIE_LIMIT, Sessions, read_key
from tests.support.fake_cluster import FakeClock

HOUR = timedelta(hours=1)
KEY = b"k" * 32
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_session_is_read_back_by_any_replica(clock: FakeClock) -> None:
    session = Sessions(KEY, HOUR, clock).read(Sessions(KEY, HOUR, clock).begin(TOKEN))
    assert session is not None
    assert session.token == TOKEN


def test_each_session_has_a_secret_of_its_own(clock: FakeClock) -> None:
    sessions = Sessions(KEY, HOUR, clock)
    found = {session.secret for _ in range(2) if (session := sessions.read(sessions.begin(TOKEN)))}
    assert len(found) == 2
    assert all(len(secret) >= 40 for secret in found)


def test_a_session_ends(clock: FakeClock) -> None:
    sessions = Sessions(KEY, HOUR, clock)
    cookie = sessions.begin(TOKEN)
    clock.advance(3600)
    assert sessions.read(cookie) is not None
    clock.advance(1)
    assert sessions.read(cookie) is None


def test_the_cookie_does_not_tell_the_token(clock: FakeClock) -> None:
    cookie = Sessions(KEY, HOUR, clock).begin(TOKEN)
    assert TOKEN not in cookie
    assert b"eyJ" not in urlsafe_b64decode(cookie)


@pytest.mark.parametrize("place", [0, 20, -30, -1])
def test_a_changed_cookie_is_none(clock: FakeClock, place: int) -> None:
    sessions = Sessions(KEY, HOUR, clock)
    letters = list(sessions.begin(TOKEN).rstrip("="))
    letters[place] = "A" if letters[place] != "A" else "B"
    assert sessions.read("".join(letters)) is None


@pytest.mark.parametrize("cookie", [None, "", "nonsense", "ä", "A" * (COOKIE_LIMIT + 1)])
def test_what_is_no_cookie_of_ours_is_none(clock: FakeClock, cookie: str | None) -> None:
    assert Sessions(KEY, HOUR, clock).read(cookie) is None


def test_another_key_reads_nothing_and_without_one_each_process_has_its_own(clock: FakeClock) -> None:
    cookie = Sessions(KEY, HOUR, clock).begin(TOKEN)
    assert Sessions(b"other" * 8, HOUR, clock).read(cookie) is None
    alone = Sessions(None, HOUR, clock).begin(TOKEN)
    assert Sessions(None, HOUR, clock).read(alone) is None


def test_a_token_that_no_cookie_holds_is_refused_in_words(clock: FakeClock) -> None:
    sessions = Sessions(KEY, HOUR, clock)
    with pytest.raises(InvalidSpec, match="too long for a session"):
        sessions.begin("".join(sha256(bytes([number])).hexdigest() for number in range(120)))


def test_the_key_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    assert read_key(None) is None
    with pytest.raises(InvalidSpec, match="cannot be read"):
        read_key(file)
    file.write_bytes(b"short")
    with pytest.raises(InvalidSpec, match="5 bytes are no key"):
        read_key(file)
    file.write_bytes(KEY)
    assert read_key(file) == KEY
