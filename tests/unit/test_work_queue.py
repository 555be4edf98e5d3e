"""The operator's queue: no key twice at a time, none lost, failures later and later."""

import asyncio
from collections.abc import Awaitable, Callable

from holdfast.handlers.queue import WorkQueue


async def drive(queue: WorkQueue[str], until: Callable[[], bool], workers: int = 4) -> None:
    task = asyncio.create_task(queue.run(workers))
    async with asyncio.timeout(5):
        while not until():  # noqa: ASYNC110 (the queue itself never ends)
            await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_key_added_often_is_worked_on_once() -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        done.append(key)

    async def scenario() -> None:
        queue = WorkQueue(work)
        for _ in range(5):
            await queue.add("a")
        await queue.add("b")
        await drive(queue, lambda: len(done) >= 2)

    asyncio.run(scenario())
    assert sorted(done) == ["a", "b"]


def test_what_is_added_during_the_work_is_looked_at_afterwards_and_never_at_once() -> None:
    active, most, done = 0, 0, 0

    async def scenario() -> None:
        added = asyncio.Event()

        async def work(_key: str) -> None:
            nonlocal active, most, done
            active += 1
            most = max(most, active)
            if not added.is_set():
                await queue.add("a")
                added.set()
                for _ in range(10):
                    await asyncio.sleep(0)
            active -= 1
            done += 1

        queue: WorkQueue[str] = WorkQueue(work)
        await queue.add("a")
        await drive(queue, lambda: done == 2)

    asyncio.run(scenario())
    assert most == 1


def test_a_key_that_is_busy_holds_up_no_other() -> None:
    done: list[str] = []

    async def scenario() -> None:
        release = asyncio.Event()

        async def work(key: str) -> None:
            if key == "slow" and not release.is_set():
                await queue.add("slow")
                await release.wait()
            done.append(key)
            if key == "fast":
                release.set()

        queue: WorkQueue[str] = WorkQueue(work)
        await queue.add("slow")
        await queue.add("fast", 0.01)
        await drive(queue, lambda: done.count("slow") == 2, workers=2)

    asyncio.run(scenario())
    assert done[0] == "fast"


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def backoffs(work: Callable[[str], Awaitable[float | None]], tries: int) -> list[float]:
    """When the key was due, in a queue whose time stands still."""
    time, due = Time(), []

    async def scenario() -> None:
        queue = WorkQueue(work, now=time)
        await queue.add("a")
        for _ in range(tries):
            key, wait = queue._ready()
            due.append(time.now)
            assert (key, wait) == ("a", None)
            queue._busy.add("a")
            await queue._work_on("a")
            _, wait = queue._ready()
            time.now += wait or 0

    asyncio.run(scenario())
    return due


def test_a_key_that_fails_comes_back_later_and_later() -> None:
    async def work(_key: str) -> None:
        raise OSError("no")

    assert backoffs(work, 9) == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_a_key_that_wants_it_comes_back_when_it_wants() -> None:
    async def work(_key: str) -> float:
        return 5.0

    assert backoffs(work, 3) == [0, 5, 10]


def test_a_success_ends_the_backoff() -> None:
    results = iter([OSError("no"), OSError("no"), None, OSError("no"), None])

    async def work(_key: str) -> float:
        if (error := next(results)) is not None:
            raise error
        return 100.0

    assert backoffs(work, 5) == [0, 1, 3, 103, 104]


def test_earlier_wins_over_later() -> None:
    time = Time()

    async def work(_key: str) -> None: ...

    async def scenario() -> None:
        queue = WorkQueue(work, now=time)
        await queue.add("a", 60)
        await queue.add("a", 1)
        await queue.add("a", 30)
        assert queue._ready() == (None, 1.0)
        time.now = 1.0
        assert queue._ready() == ("a", None)
        time.now = 100.0
        assert queue._ready() == (None, None)

    asyncio.run(scenario())


def test_news_goes_before_the_routine_and_each_key_is_looked_at_once() -> None:
    done: list[str] = []

    async def work(key: str) -> None:
        done.append(key)

    async def scenario() -> None:
        queue = WorkQueue(work)
        for number in range(20):
            await queue.add(f"old-{number:02}", routine=True)
        await queue.add("new")
        await queue.add("old-19")
        await drive(queue, lambda: len(done) >= 21, workers=1)

    asyncio.run(scenario())
    assert done == ["new", "old-19", *(f"old-{number:02}" for number in range(19))]


def test_a_key_that_is_due_later_comes_with_the_routine_if_that_is_earlier() -> None:
    now, done = 0.0, []

    async def work(key: str) -> None:
        done.append((key, now))

    async def scenario() -> None:
        nonlocal now
        queue: WorkQueue[str] = WorkQueue(work, now=lambda: now)
        await queue.add("a", 10.0)
        await queue.add("a", 0.0, routine=True)
        await drive(queue, lambda: len(done) == 1)
        now = 10.0
        await drive(queue, lambda: len(done) == 2)

    asyncio.run(scenario())
    assert done == [("a", 0.0), ("a", 10.0)]
