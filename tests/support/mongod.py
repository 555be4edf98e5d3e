"""A real MongoDB server on this machine, for tests and the demo.

    with Mongod() as mongod:
        client = MongoClient(mongod.uri)

`python -m tests.support.mongod start --directory D` starts one that outlives the command; see `mongod_command`.
"""

import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.support.mongod_binary import MongodError, mongod_program
from tests.support.mongod_files import REPLICA_SET, ROOT_USER, Files, Settings
from tests.support.mongod_setup import create_root, initiate, new_user, wait_until_writable
from tests.support.ports import LOOPBACK, free_port
from tests.support.process import Process, spawn
from tests.support.scratch import scratch_directory

__all__ = ["Mongod", "MongodError"]

START_SECONDS = 30.0
STOP_SECONDS = 30.0
PORT_TRIES = 3


class Mongod:
    """One mongod: by default a replica set of one node with access control, on a free port, in a scratch directory.

    - `bind`: addresses to listen on; 127.0.0.1 is always among them. `advertise`: the name or address by which
      clients and the replica set know the server; by default the first address in `bind` that is not loopback.
    - `port`: 0 picks a free one. `parameters`: server parameters, as `--setParameter` takes them.
    - `directory`: where the server lives; it stays there after `stop`. Without one, `stop` removes everything.
    - `cache_gb`: memory for the storage engine, in GiB; `oplog_mb`: greatest size of the oplog, in MiB.
    - `sync_seconds`: how often it writes a checkpoint; the oplog is cut up to there at most.
    - `program`: the path of another mongod than the usual one, such as `mongod_of` gives.
    - `detach`: the server outlives this process, to be found again by `Mongod.attach(directory)`. Otherwise the
      kernel ends it with the thread that started it.

    As a context manager it starts the server (if it does not run) and stops it. Every method raises MongodError.
    """

    def __init__(
        self,
        *,
        replica_set: bool = True,
        auth: bool = True,
        bind: Sequence[str] = (LOOPBACK,),
        port: int = 0,
        advertise: str | None = None,
        directory: Path | str | None = None,
        parameters: Mapping[str, object] | None = None,
        cache_gb: float = 0.25,
        oplog_mb: int = 1024,
        sync_seconds: int = 60,
        program: Path | None = None,
        detach: bool = False,
    ) -> None:
        if detach and directory is None:
            raise ValueError("a server that outlives us needs a directory, or nobody finds it again")
        if "0.0.0.0" in bind:  # noqa: S104
            raise MongodError("name the addresses to listen on: 0.0.0.0 is none that a replica set can be known by")
        self._is_scratch = directory is None
        self._files = Files(scratch_directory("mongod") if directory is None else Path(directory).absolute())
        if self._files.settings():
            raise MongodError(f"{self._files.root} holds a server already: use Mongod.attach")
        addresses = (LOOPBACK, *(address for address in bind if address != LOOPBACK))
        self._settings = Settings(
            replica_set=replica_set,
            auth=auth,
            bind=addresses,
            advertise=advertise or next((address for address in bind if address != LOOPBACK), LOOPBACK),
            port=port,
            cache_gb=cache_gb,
            oplog_mb=oplog_mb,
            sync_seconds=sync_seconds,
            outlives_us=detach,
            program=str(program) if program else None,
            parameters={"diagnosticDataCollectionEnabled": "false", **(parameters or {})},
        )
        self._process: Process | None = None
        self._client: MongoClient[dict[str, Any]] | None = None

    @classmethod
    def attach(cls, directory: Path | str) -> Self:
        """The server that was set up in a directory, running or not; raises MongodError if none was."""
        files = Files(Path(directory).absolute())
        settings = files.settings()
        if settings is None:
            raise MongodError(f"no server was set up in {files.root}")
        self = cls.__new__(cls)
        self._is_scratch = False
        self._files = files
        self._settings = settings
        self._process = files.process()
        self._client = None
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Start the server and wait until it takes writes; nothing happens if it runs."""
        if self.is_running:
            return self
        self._files.prepare()
        is_new = self._files.settings() is None
        try:
            self._launch(is_free_to_move=is_new and self._settings.port == 0)
            deadline = time.monotonic() + START_SECONDS
            with closing(self._local_client(with_user=not is_new)) as client:
                if is_new and self._settings.replica_set:
                    initiate(client, f"{self._settings.advertise}:{self.port}")
                wait_until_writable(client, deadline)
                if is_new and self._settings.auth:
                    create_root(client, self._settings.password)
        except BaseException as error:
            self._end(gently=False)
            if is_new:
                shutil.rmtree(self._files.data)  # half set up: of no use to a second try
            if isinstance(error, PyMongoError):
                what = f"mongod could not be set up ({error})".replace("\n", " ")
                raise self._files.failure(what) from error
            raise
        self._files.keep(self._settings)
        return self

    def stop(self) -> None:
        """Stop the server; a scratch directory goes with it, any other keeps its data."""
        if self._client is not None:
            self._client.close()
            self._client = None
        self._end(gently=not self._is_scratch)
        if self._is_scratch:
            shutil.rmtree(self._files.root, ignore_errors=True)

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL); `start` brings it back with what it had written."""
        self._end(gently=False)

    def restart(self) -> None:
        """Stop the server in good order if it runs, and start it again on the same port with its data."""
        self._end(gently=True)
        self.start()

    @property
    def is_running(self) -> bool:
        """Whether the server's process is alive."""
        return self._process is not None and self._process.is_alive

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._process is None:
            raise MongodError("mongod was never started")
        return self._process.pid

    @property
    def port(self) -> int:
        """The port that it listens on; 0 before the first start if it is free to choose."""
        return self._settings.port

    @property
    def directory(self) -> Path:
        """Where the server lives."""
        return self._files.root

    @property
    def uri_file(self) -> Path:
        """A file with `uri` in it that only its owner can read; there from the first start."""
        return self._files.uri

    @property
    def uri(self) -> str:
        """The connection string, with all rights."""
        return self._settings.uri

    def uri_for(self, user: str, password: str, database: str = "admin", auth_source: str = "admin") -> str:
        """The connection string of another user. `auth_source`: the database that the user was created in."""
        return self._settings.uri_for(user, password, database=database, auth_source=auth_source)

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        """A client with all rights, shared by all who ask; `stop` closes it."""
        if self._client is None:
            self._client = MongoClient(self.uri, tz_aware=True)
        return self._client

    def create_user(self, name: str, roles: Sequence[str | Mapping[str, str]], db: str = "admin") -> str:
        """Create a user with these roles in a database, and return the random password."""
        return new_user(self.client, name, list(roles), db)

    def _launch(self, *, is_free_to_move: bool) -> None:
        """Run mongod until it listens; if free to move, on another port when the one found was just taken."""
        for tries_left in reversed(range(PORT_TRIES if is_free_to_move else 1)):
            if is_free_to_move:
                self._settings = replace(self._settings, port=_free_port(self._settings.bind))
            self._spawn()
            ended = self._wait_until_listening(time.monotonic() + START_SECONDS)
            if not ended:
                return
            failure = self._files.failure("mongod ended while it was starting")
            if not tries_left or "ddress already in use" not in str(failure):
                raise failure

    def _spawn(self) -> None:
        settings = self._settings
        # fmt: off
        arguments: list[str | Path] = [
            settings.program or mongod_program(), "--dbpath", self._files.data, "--logpath", self._files.log,
            "--nounixsocket", "--bind_ip", ",".join(settings.bind), "--port", str(settings.port),
            "--wiredTigerCacheSizeGB", str(settings.cache_gb), "--syncdelay", str(settings.sync_seconds),
        ]
        # fmt: on
        if settings.replica_set:
            arguments += ["--replSet", REPLICA_SET, "--oplogSize", str(settings.oplog_mb)]
        if settings.auth:
            arguments += ["--keyFile", self._files.keyfile] if settings.replica_set else ["--auth"]
        for name, value in settings.parameters.items():
            arguments += ["--setParameter", f"{name}={value}"]
        self._files.output.unlink(missing_ok=True)
        try:
            self._process = spawn(arguments, output=self._files.output, outlive=settings.outlives_us)
        except OSError as error:
            raise MongodError(f"mongod cannot be run: {error}") from error
        self._files.keep_process(self._process)

    def _wait_until_listening(self, deadline: float) -> bool:
        """Wait for the server's port; returns whether the process ended instead."""
        assert self._process is not None
        while not self._process.wait(0.02):
            with socket.socket() as probe:
                if probe.connect_ex((LOOPBACK, self.port)) == 0:
                    return not self._process.is_alive
            if time.monotonic() > deadline:
                raise self._files.failure(f"mongod did not listen within {START_SECONDS:.0f} s")
        return True

    def _local_client(self, *, with_user: bool) -> MongoClient[dict[str, Any]]:
        """A client to this very node, whatever its state. Without a user it has the rights of a first visitor."""
        has_user = with_user and self._settings.auth
        return MongoClient(
            LOOPBACK,
            self.port,
            directConnection=True,
            serverSelectionTimeoutMS=START_SECONDS * 1000,
            username=ROOT_USER if has_user else None,
            password=self._settings.password if has_user else None,
        )

    def _end(self, *, gently: bool) -> None:
        if self._process is None:
            return
        if gently:
            self._process.send(signal.SIGTERM)
            if self._process.wait(STOP_SECONDS):
                return
        self._process.send(signal.SIGKILL)
        if not self._process.wait(STOP_SECONDS):
            raise MongodError(f"mongod (pid {self._process.pid}) did not end within {STOP_SECONDS:.0f} s")


def _free_port(addresses: Sequence[str]) -> int:
    try:
        return free_port(addresses[-1])
    except OSError as error:
        raise MongodError(f"mongod cannot listen on {addresses[-1]}: {error.strerror}") from error


if __name__ == "__main__":
    from tests.support.mongod_command import main

    sys.exit(main())
