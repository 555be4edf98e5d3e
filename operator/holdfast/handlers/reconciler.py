"""The operator's own loop: keys in, use cases called, errors translated in one place."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from holdfast.errors import HoldfastError
from holdfast.handlers.queue import WorkQueue
from holdfast.ports import (
    BACKUP_RUN,
    Clock,
    Cluster,
    Kind,
    KubeObject,
    Mailer,
    Messenger,
    Meter,
    Pinger,
    SignupSource,
    SourceProbe,
)
from holdfast.services.beat import beat
from holdfast.services.census import Census
from holdfast.services.follow_job import cancel_job, cancel_restore
from holdfast.services.give_turns import Turns
from holdfast.services.know_objects import OURS, SECRET_SECONDS, KnownObjects
from holdfast.services.look_after_health import look_after_health
from holdfast.services.mail_account import House, no_house
from holdfast.services.notify import notify
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.services.reconcile_restore import reconcile_restore
from holdfast.services.reconcile_run import reconcile_run
from holdfast.services.survey import Key, KeyKind, survey
from holdfast.services.watch_users import UserWatch
from holdfast.specs.worker import WorkerImage

_log = logging.getLogger("holdfast.operator")
_T = TypeVar("_T")

NOTIFIERS = 4
"""Threads for mail. They are apart from the others: a mail server that is slow must not hold up a run."""
PROBERS = 8
"""Threads for health: each may wait five seconds for a source that does not answer."""
WATCHERS = 4
"""Threads for new users. However many policies ask, no more of them read at a time."""
AFTERWARDS = 1.0
"""Seconds after which health follows what led to it: it judges by what the other use cases wrote."""


SPREAD = 0.8
"""The part of the interval between two surveys over which what they find is looked at."""
LONGEST_STEP = 0.1


class UseCase(Protocol):
    def __call__(
        self, cluster: Cluster, namespace: str, name: str, *, image: WorkerImage, clock: Clock
    ) -> float | None: ...


USE_CASES: Mapping[KeyKind, UseCase] = {
    "BackupPolicy": reconcile_policy,
    "BackupRun": reconcile_run,
    "RestoreRun": reconcile_restore,
}


class Reconciler:
    """Calls the use cases in threads of its own, so that nothing that blocks stalls the watching."""

    def __init__(
        self,
        cluster: Cluster,
        image: WorkerImage,
        clock: Clock,
        mailer: Mailer,
        messenger: Messenger,
        pinger: Pinger,
        probe: SourceProbe,
        signups: SignupSource,
        census: Census,
        meter: Meter,
        *,
        namespaces: Sequence[str] = (),
        interval: float = 60,
        workers: int = 8,
        max_concurrent_runs: int = 0,
        house: House = no_house,
    ) -> None:
        self._cluster, self._image, self._clock = cluster, image, clock
        # Who looks more often wants to see a changed Secret sooner.
        self._known = KnownObjects(cluster, time.monotonic, secret_seconds=min(SECRET_SECONDS, interval / 6))
        """For looks at policies: they are many, and find nothing new as a rule. Runs at work are asked for."""
        self._mailer, self._messenger, self._house = mailer, messenger, house
        self._pinger, self._probe, self._signups = pinger, probe, signups
        self._census, self._meter = census, meter
        self._namespaces, self._interval, self._workers = namespaces, interval, workers
        self._pool = ThreadPoolExecutor(max_workers=workers + 2, thread_name_prefix="reconcile")
        self._queue: WorkQueue[Key] = WorkQueue(self._reconcile)
        self._notifiers = ThreadPoolExecutor(max_workers=NOTIFIERS, thread_name_prefix="notify")
        self._notices: WorkQueue[Key] = WorkQueue(self._notify)
        self._probers = ThreadPoolExecutor(max_workers=PROBERS, thread_name_prefix="health")
        self._patients: WorkQueue[Key] = WorkQueue(self._look_after)
        self._watchers = ThreadPoolExecutor(max_workers=WATCHERS, thread_name_prefix="new-users")
        self._watches: WorkQueue[Key] = WorkQueue(self._watch_users)
        self._user_watch = UserWatch(self._known, signups, messenger, clock, house)
        self._turns = Turns(cluster, clock, max_concurrent_runs)
        self._moved = asyncio.Event()
        self._ticked: float | None = None
        self._surveyed = asyncio.Event()

    async def look_at(self, key: Key, delay: float = 0.0, *, routine: bool = False) -> None:
        """``routine``: nothing is known to have happened."""
        await self._queue.add(key, delay, routine=routine)
        if key.kind == "BackupPolicy":
            await self._notices.add(key, delay, routine=routine)
            await self._patients.add(key, delay + AFTERWARDS, routine=routine)
            if routine:
                await self._watches.add(key, delay, routine=True)

    def seen(self, kind: Kind, body: KubeObject) -> None:
        """An object is as it is now: for who looks at it next, for the metrics, and for the queue of runs."""
        self._known.note(kind, body)
        if kind in OURS:
            self._census.note(kind, body)
        if kind == BACKUP_RUN and self._turns.saw(body):
            self._moved.set()

    def gone(self, kind: Kind, body: KubeObject) -> None:
        """An object is not there any more."""
        self._known.forget(kind, body)
        if kind in OURS:
            self._census.forget(kind, body)
        if kind == BACKUP_RUN and self._turns.forget(body["metadata"]["uid"]):
            self._moved.set()

    async def cancel(self, run: KubeObject) -> None:
        """A run was deleted: end its Job, if it still works. A failure is logged; the Job then ends by itself."""
        what = f"BackupRun {run['metadata']['name']}"
        await self._call(what, partial(cancel_job, self._cluster, run), kind="BackupRun", quiet=True)

    async def cancel_restore(self, run: KubeObject) -> None:
        """The same of a RestoreRun."""
        what = f"RestoreRun {run['metadata']['name']}"
        await self._call(what, partial(cancel_restore, self._cluster, run), kind="RestoreRun", quiet=True)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._survey_for_ever())
            # What one list tells at once, no look has to ask for. If it cannot be had, each asks for itself.
            await self._surveyed.wait()
            group.create_task(self._queue.run(self._workers))
            group.create_task(self._notices.run(NOTIFIERS))
            group.create_task(self._patients.run(PROBERS))
            group.create_task(self._watches.run(WATCHERS))
            group.create_task(self._give_turns_for_ever())

    def close(self) -> None:
        for pool in (self._pool, self._notifiers, self._probers, self._watchers):
            pool.shutdown(wait=False, cancel_futures=True)

    def alive(self) -> bool:
        """Whether the loop has gone round lately. A survey that fails counts: a restart would not mend the cluster."""
        now = asyncio.get_running_loop().time()
        return self._ticked is None or now - self._ticked < 3 * self._interval + 120

    async def _survey_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._ticked = loop.time()
            keys = await self._call("The survey", self._survey, kind="Survey", quiet=True)
            self._surveyed.set()
            self._moved.set()
            # Spread over the interval: what an event tells meanwhile need not wait behind all of them.
            step = min(LONGEST_STEP, SPREAD * self._interval / max(1, len(keys or ())))
            for index, key in enumerate(keys or ()):
                await self.look_at(key, index * step, routine=True)
            await asyncio.sleep(self._interval)

    def _survey(self) -> list[Key]:
        runs: list[KubeObject] = []
        stamp = self._turns.begin_survey()
        keys = list(survey(self._known, self._namespaces, self._census, runs.append))
        self._turns.survey(runs, stamp)
        return keys

    async def _give_turns_for_ever(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._moved.wait()
            self._moved.clear()
            for key in await self._call("The queue of runs", self._turns.give, kind="Queue", quiet=True) or ():
                await self.look_at(key)
            # What comes in a burst is looked at together.
            await asyncio.sleep(0.2)

    async def _reconcile(self, key: Key) -> float | None:
        cluster: Cluster = self._known if key.kind == "BackupPolicy" else self._cluster
        call = partial(USE_CASES[key.kind], cluster, key.namespace, key.name, image=self._image, clock=self._clock)
        return await self._call(str(key), call, kind=key.kind)

    async def _notify(self, key: Key) -> float | None:
        def call() -> float | None:
            where = (key.namespace, key.name)
            how = partial(notify, self._known, self._mailer, self._messenger, self._signups, house=self._house)
            looks = (
                beat(self._known, self._pinger, *where, clock=self._clock),
                how(*where, clock=self._clock),
            )
            return min((look for look in looks if look is not None), default=None)

        return await self._call(f"Notifications of {key}", call, kind="Notifications", pool=self._notifiers)

    async def _look_after(self, key: Key) -> float | None:
        call = partial(look_after_health, self._known, self._probe, key.namespace, key.name, clock=self._clock)
        return await self._call(f"Health of {key}", call, kind="Health", pool=self._probers)

    async def _watch_users(self, key: Key) -> float | None:
        call = partial(self._user_watch.look, key.namespace, key.name)
        return await self._call(f"New users of {key}", call, kind="NewUsers", pool=self._watchers)

    async def _call(
        self,
        what: str,
        call: Callable[[], _T],
        *,
        kind: str,
        quiet: bool = False,
        pool: ThreadPoolExecutor | None = None,
    ) -> _T | None:
        """The one place where errors of use cases become log lines and are counted; ``quiet`` ones go no further."""
        begin = time.monotonic()
        try:
            return await asyncio.get_running_loop().run_in_executor(pool or self._pool, call)
        except HoldfastError as error:
            _log.log(logging.WARNING if error.retryable else logging.ERROR, "%s: %s", what, error)
            self._meter.failed(kind, error.reason)
            if not quiet:
                raise
        except Exception as error:
            # Where, but not what: the text of a stranger's error may quote a secret.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            _log.error("%s: %s in %s:%s", what, type(error).__name__, frame.name, frame.lineno)
            self._meter.failed(kind, "Unexpected")
            if not quiet:
                raise
        finally:
            self._meter.took(kind, time.monotonic() - begin)
        return None
