"""A replica set of three nodes, of which any may be frozen, killed and brought back, so that an election happens."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient

from tests.support.mongod_binary import mongod_program
from tests.support.mongod_files import REPLICA_SET
from tests.support.ports import LOOPBACK, free_ports
from tests.support.process import Process, spawn
from tests.support.scratch import scratch_directory

Client = MongoClient[dict[str, Any]]
NODES = 3
ELECTION_SECONDS = 2
PATIENCE = 60.0


class ReplicaSet:
    """Open to everybody on this machine. Raises AssertionError where a state is not reached in time."""

    def __init__(self) -> None:
        self.directory = scratch_directory("replica-set")
        self.ports = free_ports(NODES)
        self.uri = f"mongodb://{','.join(f'{LOOPBACK}:{port}' for port in self.ports)}/?replicaSet={REPLICA_SET}"
        self._processes: dict[int, Process] = {}
        self._clients = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _begin(self) -> None:
        for port in self.ports:
            self.start(port)
        members = [{"_id": index, "host": f"{LOOPBACK}:{port}"} for index, port in enumerate(self.ports)]
        settings = {"electionTimeoutMillis": ELECTION_SECONDS * 1000, "heartbeatIntervalMillis": 500}
        self.node(self.ports[0]).admin.command(
            "replSetInitiate", {"_id": REPLICA_SET, "members": members, "settings": settings}
        )
        self.wait_until_all_follow(self.primary())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clients.close()
        for port in self._processes:
            self.send(port, signal.SIGKILL)
        rmtree(self.directory, ignore_errors=True)

    @staticmethod
    def uri_of(port: int) -> str:
        """The URI of one node, whatever its state."""
        return f"mongodb://{LOOPBACK}:{port}/?directConnection=true"

    def node(self, port: int) -> Client:
        """A client of one node, whatever its state."""
        client: Client = MongoClient(self.uri_of(port), tz_aware=True, serverSelectionTimeoutMS=PATIENCE * 1000)
        return self._clients.enter_context(client)

    def start(self, port: int) -> None:
        """Start a node, or start it again with what it had written."""
        data: Path = self.directory / str(port)
        data.mkdir(exist_ok=True)
        # fmt: off
        arguments: list[str | Path] = [
            mongod_program(), "--dbpath", data, "--logpath", self.directory / f"{port}.log", "--nounixsocket",
            "--bind_ip", LOOPBACK, "--port", str(port), "--replSet", REPLICA_SET, "--oplogSize", "16",
            "--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false",
        ]
        # fmt: on
        self._processes[port] = spawn(arguments, output=self.directory / f"{port}.out", outlive=False)

    def send(self, port: int, number: signal.Signals) -> None:
        """Send a node a signal; a killed one has ended afterwards."""
        self._processes[port].send(number)
        if number is signal.SIGKILL:
            assert self._processes[port].wait(PATIENCE)

    def primary(self, *, but: int | None = None) -> int:
        """The port of the node that takes writes, once there is one; ``but``: another than this."""
        deadline = time.monotonic() + PATIENCE
        watched = {port: self.node(port) for port in self.ports if port != but}
        while True:
            for port, client in watched.items():
                assert time.monotonic() < deadline, f"no primary: see {self.directory}"
                hello = client.admin.command("hello")
                if not hello["isWritablePrimary"]:
                    # The server answers when its state has changed, or after this time.
                    version = hello["topologyVersion"]
                    hello = client.admin.command("hello", topologyVersion=version, maxAwaitTimeMS=300)
                if hello["isWritablePrimary"]:
                    return port

    def wait_until_all_follow(self, primary: int) -> None:
        """Wait until every node has what the primary has, on its disk."""
        concern = {"w": NODES, "j": True, "wtimeout": PATIENCE * 1000}
        client = self.node(primary)
        client["waiting"].command({"insert": "a", "documents": [{}], "writeConcern": concern})
