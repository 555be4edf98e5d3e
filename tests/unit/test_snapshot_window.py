"""How long the server is asked to keep the moment of a backup."""

from collections.abc import Sequence

import pytest

from holdfast.domain.snapshot_window import LONGEST, seconds_needed
from holdfast.errors import NotAuthorized
from holdfast.services.hold_window import window_of
from tests.support.engine import Recorder

GIB = 2**30


class Server:
    """The part of a source that is used."""

    def __init__(self, window: int | None = 300, *, forbidden: Sequence[str] = ()) -> None:
        self.window, self.forbidden = window, forbidden
        self.asked: list[int] = []

    def snapshot_window(self) -> int | None:
        if "get" in self.forbidden:
            raise NotAuthorized("No.")
        return self.window

    def set_snapshot_window(self, seconds: int) -> None:
        if "set" in self.forbidden:
            raise NotAuthorized("No.")
        self.asked.append(seconds)
        self.window = seconds


def held(server: Server, needed: int) -> tuple[int | None, list[str]]:
    recorder = Recorder()
    with window_of(server, needed, recorder):  # type: ignore[arg-type]  # the part that is used
        during = server.window
    return during, recorder.warnings


def test_the_time_grows_with_the_data_and_has_a_margin() -> None:
    assert seconds_needed(10 * GIB, rate=100 * 2**20, limit=None, attempt=1) > 2 * 10 * GIB / (100 * 2**20)


def test_a_brake_makes_it_longer() -> None:
    assert seconds_needed(GIB, rate=100 * 2**20, limit=2**20, attempt=1) > 2048


def test_each_attempt_asks_for_twice_as_much() -> None:
    first, second = (seconds_needed(GIB, rate=None, limit=None, attempt=n) for n in (1, 2))
    assert second == 2 * first


def test_a_window_that_is_too_short_is_raised_and_set_back() -> None:
    server = Server()
    assert held(server, 1000) == (1000, [])
    assert server.asked == [1000, 300]


@pytest.mark.parametrize("window", [None, 300, 5000])
def test_a_window_that_is_long_enough_is_left_alone(window: int | None) -> None:
    server = Server(window)
    assert held(server, 300) == (window, [])
    assert server.asked == []


def test_no_more_than_a_day_is_asked_for_and_that_is_said() -> None:
    server = Server()
    during, warnings = held(server, 10 * LONGEST)
    assert during == LONGEST
    assert "no longer" in warnings[0]


def test_a_user_who_may_not_raise_it_is_told_what_to_do() -> None:
    during, warnings = held(Server(forbidden=["set"]), 1000)
    assert during == 300
    assert "hostManager" in warnings[0]


def test_a_user_who_may_not_ask_is_told_only_where_it_matters() -> None:
    assert held(Server(forbidden=["get", "set"]), 200)[1] == []
    assert "hostManager" in held(Server(forbidden=["get", "set"]), 1000)[1][0]


def test_what_another_backup_has_set_meanwhile_is_left_alone() -> None:
    server = Server()
    recorder = Recorder()
    with window_of(server, 1000, recorder):  # type: ignore[arg-type]  # the part that is used
        server.window = 2000
    assert server.window == 2000


def test_it_is_set_back_when_the_backup_fails() -> None:
    server = Server()
    with pytest.raises(KeyError), window_of(server, 1000, Recorder()):  # type: ignore[arg-type]
        raise KeyError
    assert server.window == 300
