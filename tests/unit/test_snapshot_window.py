"""How long the server is asked to keep the moment of a backup."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from holdfast.domain.shared_window import MOST
from holdfast.domain.snapshot_window import LONGEST, USUAL, measured_rate, seconds_needed
from holdfast.errors import NotAuthorized, OperationFailed, SourceUnavailable
from holdfast.services.hold_window import window_of
from tests.support.engine import Recorder

GIB = 2**30
MIB = 2**20


class Server:
    """The part of a source that is used. ``meanwhile``: what happens before the next calls, one each."""

    def __init__(self, window: int | None = USUAL, *, forbidden: Sequence[str] = ()) -> None:
        self.window, self.forbidden = window, forbidden
        self.asked: list[int] = []
        self.broken = False
        self.meanwhile: list[Callable[[], object]] = []

    def snapshot_window(self) -> int | None:
        self._happens()
        if "get" in self.forbidden:
            raise NotAuthorized("No.")
        return self.window

    def set_snapshot_window(self, seconds: int) -> int:
        self._happens()
        if "set" in self.forbidden:
            raise NotAuthorized("No.")
        if "support" in self.forbidden:
            raise OperationFailed("Setting the snapshot window failed: not here.")
        assert self.window is not None
        self.asked.append(seconds)
        was, self.window = self.window, seconds
        return was

    def _happens(self) -> None:
        if self.broken:
            raise SourceUnavailable("Gone.")
        if self.meanwhile:
            self.meanwhile.pop(0)()


def window(server: Server, needed: int, recorder: Recorder | None = None) -> AbstractContextManager[None]:
    return window_of(server, needed, recorder or Recorder())  # type: ignore[arg-type]  # the part that is used


def held(server: Server, needed: int) -> tuple[int | None, list[str]]:
    recorder = Recorder()
    with window(server, needed, recorder):
        during = server.window
    return during, recorder.warnings


# --- the time that is needed ------------------------------------------------------------------------------------------


def test_the_time_grows_with_the_data_and_has_a_margin() -> None:
    assert seconds_needed(10 * GIB, rate=100 * MIB, limit=None) > 2 * 10 * GIB / (100 * MIB)


def test_a_brake_makes_it_longer() -> None:
    assert seconds_needed(GIB, rate=100 * MIB, limit=MIB) > 2048


def test_each_attempt_that_had_too_little_time_asks_for_twice_as_much() -> None:
    first, second = (seconds_needed(GIB, rate=None, limit=None, lost=n) for n in (0, 1))
    assert second == 2 * first


def test_a_rate_that_was_measured_is_used() -> None:
    assert measured_rate(GIB, 10) == GIB / 10


@pytest.mark.parametrize(("size", "seconds"), [(1000, 5), (10 * MIB, 60), (GIB, 0)])
def test_what_was_read_in_no_time_tells_nothing_of_the_rate(size: int, seconds: float) -> None:
    assert measured_rate(size, seconds) is None


def test_a_run_that_waited_for_a_day_was_not_a_slow_one() -> None:
    assert seconds_needed(GIB, rate=measured_rate(GIB, 86_400), limit=None) < 3600


# --- one backup -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [1, 60, USUAL, 310, 500, 900])
def test_a_window_that_is_too_short_is_raised_and_set_back(before: int) -> None:
    server = Server(before)
    during, warnings = held(server, 1000)
    assert during is not None
    assert 1000 <= during < 1100
    assert server.window == before
    assert warnings == []


@pytest.mark.parametrize("before", [None, 300, 310, 1000, 5000, 2 * LONGEST])
def test_a_window_that_is_long_enough_is_left_alone(before: int | None) -> None:
    server = Server(before)
    assert held(server, 300) == (before, [])
    assert server.asked == []


def test_no_more_than_a_day_is_asked_for_and_that_is_said() -> None:
    server = Server()
    during, warnings = held(server, 10 * LONGEST)
    assert during is not None
    assert LONGEST <= during <= LONGEST + MOST
    assert "longer than 86400 s" in warnings[0]
    assert server.window == USUAL


def test_more_than_a_day_that_somebody_has_set_is_not_lowered() -> None:
    server = Server(2 * LONGEST)
    assert held(server, 3 * LONGEST)[0] == 2 * LONGEST
    assert server.asked == []


def test_a_user_who_may_not_raise_it_is_told_what_to_do() -> None:
    during, warnings = held(Server(forbidden=["set"]), 1000)
    assert during == USUAL
    assert "keeps its snapshots for 300 s. Give the user the role hostManager on admin" in warnings[0]


def test_a_user_who_may_not_ask_is_told_only_where_it_matters() -> None:
    assert held(Server(forbidden=["get", "set"]), 200)[1] == []
    assert "hostManager" in held(Server(forbidden=["get", "set"]), 1000)[1][0]


@pytest.mark.parametrize("before", [USUAL, 600])
def test_a_user_who_may_set_it_and_may_not_ask_sets_it_back_too(before: int) -> None:
    server = Server(before, forbidden=["get"])
    during, warnings = held(server, 1000)
    assert during is not None
    assert 1000 <= during < 1100
    assert server.window == before
    assert warnings == []


def test_who_may_not_ask_never_lowers_a_long_window() -> None:
    server = Server(5000, forbidden=["get"])
    held(server, 1000)
    assert server.window == 5000
    assert min(server.asked) >= 5000


def test_a_server_on_which_it_cannot_be_set_gets_a_backup_and_a_warning() -> None:
    during, warnings = held(Server(forbidden=["support"]), 1000)
    assert during == USUAL
    assert "cannot be raised from here" in warnings[0]


def test_it_is_set_back_when_the_backup_fails() -> None:
    server = Server()
    with pytest.raises(KeyError), window(server, 1000):
        raise KeyError
    assert server.window == USUAL


def test_a_server_that_does_not_answer_at_the_end_hides_no_backup_and_the_warning_says_what_to_do() -> None:
    server, recorder = Server(), Recorder()
    with window(server, 1000, recorder):
        server.broken = True
    assert "was not set back" in recorder.warnings[0]
    assert "set it to 300" in recorder.warnings[0]


@pytest.mark.parametrize("forbidden", [[], ["get"]])
@pytest.mark.parametrize("meanwhile", [USUAL, 7200])
def test_what_people_set_meanwhile_or_a_restart_is_left_alone(meanwhile: int, forbidden: list[str]) -> None:
    server = Server(forbidden=forbidden)
    with window(server, 1000):
        server.window = meanwhile
    assert server.window == meanwhile


# --- several backups --------------------------------------------------------------------------------------------------


def test_the_first_of_two_to_end_does_not_lower_the_window_under_the_other() -> None:
    server = Server()
    first, second = window(server, 2000), window(server, 1000)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert server.window is not None
    assert server.window >= 1000
    second.__exit__(None, None, None)
    assert server.window == USUAL


def test_a_backup_that_begins_between_two_steps_of_another_is_counted() -> None:
    server = Server()
    first, second = window(server, 1000), window(server, 2000)
    server.meanwhile = [lambda: None, second.__enter__]
    first.__enter__()
    second.__exit__(None, None, None)
    assert server.window is not None
    assert server.window >= 1000
    first.__exit__(None, None, None)
    assert server.window == USUAL


def test_a_backup_that_begins_while_the_last_one_leaves_keeps_its_window() -> None:
    server = Server()
    first, second = window(server, 1000), window(server, 2000)
    first.__enter__()
    server.meanwhile = [lambda: None, second.__enter__]
    first.__exit__(None, None, None)
    assert server.window is not None
    assert server.window >= 2000
    second.__exit__(None, None, None)
    assert server.window == USUAL


def test_the_window_of_a_killed_backup_is_not_taken_for_what_was_there_before() -> None:
    server = Server()
    killed = window(server, 1000)
    killed.__enter__()  # and never leaves
    left_over = server.window
    held(server, 2000)
    assert server.window != USUAL  # it may be alive: nobody can tell
    server.window = left_over
    assert held(server, 900)[1] == []
    assert server.window == left_over


def test_a_window_that_killed_backups_hold_and_that_is_too_short_is_a_warning() -> None:
    server = Server()
    killed = [window(server, 1000) for _ in range(MOST)]
    for one in killed:
        one.__enter__()
    during, warnings = held(server, 5000)
    assert during == server.window
    assert "killed while they ran" in warnings[0]


def test_who_may_not_hold_the_window_of_another_is_told_that_it_may_end() -> None:
    server = Server()
    with window(server, 2000):
        server.forbidden = ["set"]
        assert "as long as another backup runs" in held(server, 1000)[1][0]
        assert held(server, 200)[1] == []
        server.forbidden = []


def test_a_window_that_people_have_set_is_not_taken_from_a_backup_that_it_is_enough_for() -> None:
    server = Server(1000)
    relying, first, last = window(server, 900), window(server, 1100), window(server, 1)
    for one in (relying, first, last):
        one.__enter__()
    for one in (first, last):  # the last one does not know what the first one found
        one.__exit__(None, None, None)
    assert server.window is not None
    assert server.window >= 900


def test_who_may_not_hold_a_window_that_people_have_set_long_enough_is_not_warned() -> None:
    assert held(Server(1000, forbidden=["set"]), 900) == (1000, [])


class SharedWindow(RuleBasedStateMachine):
    """Backups of one server begin and end in any order; some users may not ask what the window is."""

    running = Bundle("running")

    @initialize(window=st.sampled_from([1, 60, USUAL, 310, 600, 1000]))
    def start(self, window: int) -> None:
        self.server = Server(window)
        self.original = window
        self.live: dict[int, int] = {}
        self.next = 0

    @rule(target=running, needed=st.integers(1, 2 * LONGEST) | st.integers(USUAL - 50, 1300), readable=st.booleans())
    def begin(self, needed: int, readable: bool) -> tuple[int, AbstractContextManager[None], bool]:
        if len(self.live) >= MOST:
            needed = 1
        self.server.forbidden = [] if readable else ["get"]
        context = window(self.server, needed)
        context.__enter__()
        self.next += 1
        # Who may not ask takes the server's default for granted where that is enough.
        self.live[self.next] = needed if readable or needed > USUAL else 0
        return self.next, context, readable

    @rule(one=consumes(running))
    def end(self, one: tuple[int, AbstractContextManager[None], bool]) -> None:
        number, context, readable = one
        self.server.forbidden = [] if readable else ["get"]
        context.__exit__(None, None, None)
        del self.live[number]

    @invariant()
    def every_backup_has_its_window(self) -> None:
        assert self.server.window is not None
        assert self.server.window >= max((min(needed, LONGEST) for needed in self.live.values()), default=0)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        if not self.live:
            assert self.server.window in (self.original, USUAL)


TestSharedWindow = SharedWindow.TestCase
