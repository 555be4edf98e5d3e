"""Who does a piece of work: this process alone, or several (:mod:`holdfast.processes`)."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from threading import Event
from typing import Generic, Protocol, TypeAlias, TypeVar

from holdfast.errors import HoldfastError
from holdfast.ports import Source
from holdfast.repository.repository import Repository

Task = TypeVar("Task")
Step = TypeVar("Step")
Result = TypeVar("Result")
Step_co = TypeVar("Step_co", covariant=True)
Result_co = TypeVar("Result_co", covariant=True)

Advanced: TypeAlias = Callable[[Task, Step], None]
"""Told how far a task is."""
Work: TypeAlias = Callable[[Task, Advanced[Task, Step], Event], Result | HoldfastError]
"""Does one task, and gives what came of it, or why nothing did. Looks at the event, which asks it to stop."""
Opener: TypeAlias = Callable[[], AbstractContextManager[tuple[Source, Repository]]]
"""Opens what is read from and written to, in the process that calls it. Must survive pickling."""


class Crew(Protocol[Task, Step_co, Result_co]):
    """Who does the tasks."""

    @property
    def size(self) -> int:
        """How many tasks are worked on at once."""
        ...

    def work(
        self, tasks: Iterable[Task], advanced: Callable[[Task, Step_co], None], stop: Event
    ) -> Iterator[tuple[Task, Result_co | HoldfastError]]:
        """What became of each task, in whatever order. ``tasks`` is asked for one more than is worked on.

        Raises Interrupted when ``stop`` is set. When the caller leaves off, so does the crew.
        """
        ...


class Alone(Generic[Task, Step, Result]):
    """A crew of one: this process."""

    size = 1

    def __init__(self, work: Work[Task, Step, Result]) -> None:
        self._work = work

    def work(
        self, tasks: Iterable[Task], advanced: Callable[[Task, Step], None], stop: Event
    ) -> Iterator[tuple[Task, Result | HoldfastError]]:
        for task in tasks:
            yield task, self._work(task, advanced, stop)
