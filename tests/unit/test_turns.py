"""Never more than so many at once, first come first served, and no place is lost with who held it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.turns import PATIENCE, Standing, deadline_at_turn, deadline_in_line, next_turns

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

limits = st.integers(1, 5)
steps = st.lists(st.sampled_from(["comes", "ends", "dies", "gives"]), max_size=60)
spans = st.timedeltas(timedelta(), timedelta(days=3))
works = st.timedeltas(timedelta(minutes=1), timedelta(days=30))


class Line:
    """Runs that come and end; ``second`` of its time is all that is equal for two that come together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.runs: list[Standing] = []
        self.came: list[Standing] = []
        self.let_in: list[str] = []

    def comes(self) -> None:
        number = len(self.came)
        run = Standing(START + timedelta(seconds=number // 3), f"uid-{number:04}")
        self.came.append(run)
        self.runs.append(run)

    def ends(self) -> None:
        """The oldest that has a place. How it ended, and who says so, is all the same."""
        held = [run for run in self.runs if run.holds]
        if held:
            self.runs.remove(held[0])

    def dies(self) -> None:
        """One that waits is deleted."""
        waits = [run for run in self.runs if not run.holds]
        if waits:
            self.runs.remove(waits[-1])
            self.came.remove(waits[-1])

    def gives(self) -> None:
        let_in, waiting = next_turns(reversed(self.runs), self.limit)
        assert {run.uid for run in (*let_in, *waiting)} == {run.uid for run in self.runs if not run.holds}
        self.let_in += [run.uid for run in let_in]
        self.runs = [replace(run, holds=True) if run in let_in else run for run in self.runs]


@given(limits, steps)
def test_never_more_than_the_limit_are_let_in_and_none_stands_free_while_one_waits(limit: int, done: list[str]) -> None:
    line = Line(limit)
    for step in done:
        getattr(line, step)()
        held = sum(run.holds for run in line.runs)
        assert held <= limit
        if step == "gives":
            assert held == limit or all(run.holds for run in line.runs)


@given(limits, steps)
def test_nobody_is_passed_over(limit: int, done: list[str]) -> None:
    """Whatever came before: when those with a place end, all who wait have their turn, in the order of their age."""
    line = Line(limit)
    for step in done:
        getattr(line, step)()
    while line.runs:
        line.gives()
        line.ends()
    assert line.let_in == sorted(line.let_in)
    assert line.let_in == [run.uid for run in line.came]


def test_one_that_began_without_its_turn_has_a_place() -> None:
    at_work, waits = Standing(START + HOUR, "b", holds=True), Standing(START, "a")
    assert next_turns([at_work, waits], 1) == ([], [waits])


def test_without_a_limit_nobody_waits() -> None:
    runs = [Standing(START, str(number)) for number in range(9)]
    assert next_turns(runs, 0) == (runs, [])


@given(spans, works)
def test_the_wait_takes_nothing_from_the_work(waited: timedelta, own: timedelta) -> None:
    assert deadline_at_turn(waited, own) - waited == own


@given(st.lists(st.timedeltas(timedelta(), PATIENCE), max_size=40), works)
def test_a_worker_that_loses_its_patience_has_all_its_time_left(pauses: list[timedelta], own: timedelta) -> None:
    """However long it waited before, and however late it was last looked at within its patience."""
    waited, deadline = timedelta(), own + PATIENCE
    for pause in pauses:
        assert deadline - (waited + pause) >= own
        waited += pause
        deadline = deadline_in_line(waited, own, deadline) or deadline
    assert deadline - (waited + PATIENCE) >= own


def test_a_deadline_that_leaves_room_is_not_written_again() -> None:
    deadline = deadline_in_line(HOUR, HOUR, HOUR)
    assert deadline is not None
    assert deadline_in_line(HOUR + timedelta(minutes=50), HOUR, deadline) is None
