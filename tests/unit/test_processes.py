"""A crew of processes, with work that needs nothing."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event

import pytest

from holdfast.errors import CollectionFailed, HoldfastError, Interrupted, ProcessKilled, StoreUnavailable
from holdfast.processes import Processes
from holdfast.services.crew import Work

Told = Callable[[int, str], None]


@contextmanager
def squares() -> Iterator[Work[int, str, tuple[int, int]]]:
    def work(task: int, advanced: Told, stop: Event) -> tuple[int, int] | HoldfastError:
        del stop
        advanced(task, f"at {task}")
        return (task * task, os.getpid()) if task >= 0 else CollectionFailed(f"{task} is negative.", hint="Try 1.")

    yield work


@contextmanager
def until_stopped() -> Iterator[Work[int, str, str]]:
    def work(task: int, advanced: Told, stop: Event) -> str:
        advanced(task, "begun")
        return "stopped" if stop.wait(60) else "never"

    yield work


@contextmanager
def killed() -> Iterator[Work[int, str, str]]:
    def work(task: int, advanced: Told, stop: Event) -> str:
        del advanced, stop
        if task == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    yield work


@contextmanager
def locked() -> Iterator[Work[int, str, str]]:
    raise StoreUnavailable("The store is away.", hint="Wait.")
    yield


@contextmanager
def wrong() -> Iterator[Work[int, str, str]]:
    yield lambda *_: str(int("x"))  # an error that nobody expects


def nothing(*_: object) -> None: ...


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes(2) as made:
        yield made


def test_every_task_is_done_once_and_by_other_processes(processes: Processes) -> None:
    crew = processes.crew(squares)
    assert crew is not None
    told: list[tuple[int, str]] = []
    results = dict(crew.work(range(20), lambda task, step: told.append((task, step)), Event()))
    assert {task: result[0] for task, result in results.items()} == {n: n * n for n in range(20)}  # type: ignore[index]
    assert os.getpid() not in {result[1] for result in results.values()}  # type: ignore[index]
    assert sorted(told) == [(n, f"at {n}") for n in range(20)]


def test_an_error_of_one_task_is_handed_over_whole_and_stops_no_other(processes: Processes) -> None:
    crew = processes.crew(squares)
    assert crew is not None
    results = dict(crew.work([-1, 2], nothing, Event()))
    error = results[-1]
    assert isinstance(error, CollectionFailed)
    assert (error.message, error.hint) == ("-1 is negative.", "Try 1.")
    assert isinstance(results[2], tuple)


def test_what_cannot_be_opened_is_the_error_of_its_task(processes: Processes) -> None:
    crew = processes.crew(locked)
    assert crew is not None
    assert [str(result) for _, result in crew.work([1, 2, 3], nothing, Event())] == ["The store is away. Wait."] * 3


def test_the_next_kind_of_work_can_follow(processes: Processes) -> None:
    for opener in (squares, partial(squares)):
        crew = processes.crew(opener)
        assert crew is not None
        assert len(list(crew.work(range(5), nothing, Event()))) == 5


def test_a_stop_ends_the_work_under_way(processes: Processes) -> None:
    crew = processes.crew(until_stopped)
    assert crew is not None
    stop = Event()
    with pytest.raises(Interrupted):
        list(crew.work([1, 2], lambda *_: stop.set(), stop))
    again = processes.crew(squares)
    assert again is not None
    assert len(list(again.work(range(3), nothing, Event()))) == 3


def test_a_caller_that_leaves_off_lets_the_work_under_way_end(processes: Processes) -> None:
    crew = processes.crew(until_stopped)
    assert crew is not None

    def fail(*_: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        list(crew.work([1], fail, Event()))
    again = processes.crew(squares)
    assert again is not None
    assert len(list(again.work(range(3), nothing, Event()))) == 3


def test_a_killed_process_is_an_outage_that_the_others_survive(processes: Processes) -> None:
    crew = processes.crew(killed)
    assert crew is not None
    with pytest.raises(ProcessKilled, match="SIGKILL"):
        list(crew.work([1, 2, 3], nothing, Event()))
    assert crew.size == 1
    assert [result for _, result in crew.work([2, 3], nothing, Event())] == ["done", "done"]


def test_an_unknown_error_ends_its_process_and_names_the_exit_code(processes: Processes) -> None:
    crew = processes.crew(wrong)
    assert crew is not None
    with pytest.raises(ProcessKilled, match="exit code 1"):
        list(crew.work([1], nothing, Event()))


def test_on_one_processor_there_is_no_crew() -> None:
    with Processes(1) as processes:
        assert processes.crew(squares) is None


def test_the_processes_end_with_the_one_that_made_them(processes: Processes) -> None:
    crew = processes.crew(squares)
    assert crew is not None
    pids = {result[1] for _, result in crew.work(range(20), nothing, Event())}  # type: ignore[index]
    processes.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
