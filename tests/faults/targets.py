"""What can be struck: how each is killed, frozen and cut off, and how it comes back."""

import os
import shlex
import signal
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from tests.cluster import controlplane, processes
from tests.cluster.cluster import PARTS
from tests.cluster.layout import API_PORT, Layout
from tests.cluster.processes import Process
from tests.cluster.progress import COMMAND_MARK
from tests.faults import cuts
from tests.faults.cuts import Cuts
from tests.faults.machine import address_of, holdfast_processes
from tests.faults.plan import Fault, Target, Way
from tests.support.mongod import Mongod
from tests.support.s3 import S3

ETCD_PORT = 2379


class Victim(ABC):
    """Something that is struck, and heals. Both are called by the thread that started everything."""

    def __init__(self, target: Target, made: Cuts) -> None:
        self.target, self._cuts = target, made

    def strike(self, fault: Fault) -> str:
        """Strike, and return what was struck; nothing if there is nothing to strike yet."""
        if fault.way in cuts.ACTIONS:
            where, what = self._cut()
            if where:
                self._cuts.make(self.target, where, fault.way)
            return what
        return self._signal(signal.SIGKILL if fault.way is Way.KILL else signal.SIGSTOP)

    def heal(self, fault: Fault) -> None:
        if fault.way in cuts.ACTIONS:
            self._cuts.mend(self.target)
        elif fault.way is Way.FREEZE:
            self._thaw()
        else:
            self._revive()

    @abstractmethod
    def _cut(self) -> tuple[str, str]:
        """Which packets to stop, and what that is to a reader; nothing if it is not there."""

    @abstractmethod
    def _signal(self, number: signal.Signals) -> str:
        """Send it a signal."""

    @abstractmethod
    def _thaw(self) -> None:
        """Undo SIGSTOP."""

    @abstractmethod
    def _revive(self) -> None:
        """Undo SIGKILL."""


class Part(Victim):
    """A part of the cluster: etcd or the API server."""

    def __init__(self, target: Target, made: Cuts, where: Layout, name: str, rule: str) -> None:
        super().__init__(target, made)
        self._where, self._name, self._rule = where, name, rule

    def _cut(self) -> tuple[str, str]:
        return self._rule, self._name

    def _signal(self, number: signal.Signals) -> str:
        process = processes.find(self._where, self._name)
        if process is None or not process.is_alive():
            return ""
        os.kill(process.pid, number)
        return f"pid {process.pid}"

    def _thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _revive(self) -> None:
        start_again(self._where, self._name)


class MongoServer(Victim):
    def __init__(self, made: Cuts, mongod: Mongod) -> None:
        super().__init__(Target.MONGOD, made)
        self._mongod = mongod

    def _cut(self) -> tuple[str, str]:
        return cuts.from_pods(self._mongod.port), f"port {self._mongod.port}"

    def _signal(self, number: signal.Signals) -> str:
        if number is signal.SIGKILL:
            self._mongod.kill()
        else:
            os.kill(self._mongod.pid, number)
        return f"pid {self._mongod.pid}"

    def _thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _revive(self) -> None:
        self._mongod.start()


class Store(Victim):
    def __init__(self, made: Cuts, s3: S3) -> None:
        super().__init__(Target.STORE, made)
        self._s3 = s3

    def _cut(self) -> tuple[str, str]:
        return cuts.from_pods(self._s3.port), f"port {self._s3.port}"

    def _signal(self, number: signal.Signals) -> str:
        self._s3.send(number)
        return f"port {self._s3.port}"

    def _thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _revive(self) -> None:
        self._s3.start_again()


class MailServer(Victim):
    """It lives in this process, so that only its network can go."""

    def __init__(self, made: Cuts, port: int) -> None:
        super().__init__(Target.MAIL_SERVER, made)
        self._port = port

    def _cut(self) -> tuple[str, str]:
        return cuts.from_pods(self._port), f"port {self._port}"

    def _signal(self, number: signal.Signals) -> str:
        raise NotImplementedError

    def _thaw(self) -> None:
        raise NotImplementedError

    def _revive(self) -> None:
        raise NotImplementedError


class Pod(Victim):
    """A process in a pod: the operator, or any worker. The kubelet or the Job brings it back."""

    def __init__(self, target: Target, made: Cuts, word: str, random: Random) -> None:
        super().__init__(target, made)
        self._word, self._random = word, random
        self._frozen: Sequence[Process] = ()
        self._aim = 0.0

    def strike(self, fault: Fault) -> str:
        self._aim = fault.aim if self.target is Target.WORKER else 0.0
        return super().strike(fault)

    def _chosen(self) -> Process | None:
        """One that is old enough: a worker is to be struck at any point of its work, not only at its start."""
        found = [one for one in holdfast_processes(self._word) if one.age_seconds() >= self._aim]
        return self._random.choice(found) if found else None

    def _cut(self) -> tuple[str, str]:
        one = self._chosen()
        if one is None or not (address := address_of(one)):
            return "", ""
        return cuts.out_of(address), f"{one.name} at {address}"

    def _signal(self, number: signal.Signals) -> str:
        one = self._chosen()
        if one is None:
            return ""
        with suppress(ProcessLookupError):
            os.kill(one.pid, number)
            self._frozen = (one,)
            return one.name
        return ""

    def _thaw(self) -> None:
        for one in self._frozen:
            if one.is_alive():
                os.kill(one.pid, signal.SIGCONT)
        self._frozen = ()

    def _revive(self) -> None:
        """The kubelet restarts the operator, and the Job its worker."""


def start_again(where: Layout, name: str) -> None:
    """Start a dead part of the cluster as it was started: its log begins with the command."""
    log = processes.log_of(where, name)
    first = log.read_text().splitlines()[0]
    log.rename(_next_free(log))
    processes.start(where, name, shlex.split(first.removeprefix(COMMAND_MARK)))


def keep_parts(where: Layout, struck: Sequence[str]) -> list[str]:
    """Start what ended by itself, as the machine's init would; return what that was."""
    again = [part for part in PARTS if part not in struck and not processes.is_alive(where, part)]
    for part in again:
        start_again(where, part)
    return again


PART_OF = {Target.API_SERVER: controlplane.API_SERVER, Target.ETCD: controlplane.ETCD}


def victims(where: Layout, made: Cuts, mongod: Mongod, s3: S3, mail_port: int, random: Random) -> dict[Target, Victim]:
    """All of them, by their names."""
    etcd, api = Target.ETCD, Target.API_SERVER
    every: list[Victim] = [
        Pod(Target.WORKER, made, "worker", random),
        Pod(Target.OPERATOR, made, "operator", random),
        Part(api, made, where, PART_OF[api], cuts.from_pods(API_PORT)),
        Part(etcd, made, where, PART_OF[etcd], cuts.within(ETCD_PORT)),
        MongoServer(made, mongod),
        Store(made, s3),
        MailServer(made, mail_port),
    ]
    return {victim.target: victim for victim in every}


def _next_free(log: Path) -> Path:
    number = 1
    while (old := log.with_suffix(f".{number}.log")).exists():
        number += 1
    return old
