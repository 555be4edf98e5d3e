"""What one mongod keeps in its directory: settings, secrets, data, its log and the identity of its process."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

from tests.support.mongod_binary import MongodError, missing_library
from tests.support.process import Process

ROOT_USER = "root"
REPLICA_SET = "rs0"


@dataclass(frozen=True)
class Settings:
    """How a server was set up; kept in its directory, so that it can be found and started again."""

    replica_set: bool
    auth: bool
    bind: tuple[str, ...]
    advertise: str
    port: int
    cache_gb: float
    oplog_mb: int
    outlives_us: bool
    program: str | None = None
    parameters: dict[str, object] = field(default_factory=dict)
    sync_seconds: int = 60
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def uri_for(self, user: str | None, password: str = "", *, database: str = "", auth_source: str = "") -> str:
        """A connection string; without a user it holds no credentials."""
        credentials = f"{quote_plus(user)}:{quote_plus(password)}@" if user else ""
        options = [f"replicaSet={REPLICA_SET}" if self.replica_set else "directConnection=true"]
        if user:
            options.append(f"authSource={quote(auth_source, safe='')}")
        return f"mongodb://{credentials}{self.advertise}:{self.port}/{quote(database, safe='')}?{'&'.join(options)}"

    @property
    def uri(self) -> str:
        """The connection string with all rights."""
        return self.uri_for(ROOT_USER if self.auth else None, self.password, auth_source="admin")


@dataclass(frozen=True)
class Files:
    """The files of one server. Those that hold a secret can be read by their owner only."""

    root: Path

    @property
    def data(self) -> Path:
        """The server's own directory."""
        return self.root / "data"

    @property
    def keyfile(self) -> Path:
        """The secret that the members of a replica set share."""
        return self.root / "keyfile"

    @property
    def uri(self) -> Path:
        """The connection string with all rights, for programs that take `--uri-file`."""
        return self.root / "uri"

    @property
    def log(self) -> Path:
        """The server's log: one JSON document a line."""
        return self.root / "mongod.log"

    @property
    def output(self) -> Path:
        """What the program printed outside its log: wrong options, a missing library."""
        return self.root / "mongod.out"

    @property
    def _settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def _process(self) -> Path:
        return self.root / "mongod.pid"

    def settings(self) -> Settings | None:
        """The settings of the server that was set up here, if one was."""
        try:
            known = json.loads(self._settings.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Settings(**{**known, "bind": tuple(known["bind"])})

    def prepare(self) -> None:
        """Make the directories and the key file; raises MongodError if there is data of an unknown server."""
        if not self._settings.exists() and self.data.exists() and any(self.data.iterdir()):
            raise MongodError(f"{self.data} holds data of an unknown server: remove it or name another directory")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.data.mkdir(exist_ok=True)
        if not self.keyfile.exists():
            _write_private(self.keyfile, secrets.token_hex(64))

    def keep(self, settings: Settings) -> None:
        """Write down the settings of a server that is completely set up, and its connection string."""
        _write_private(self.uri, settings.uri + "\n")
        _write_private(self._settings, json.dumps(asdict(settings)))

    def process(self) -> Process | None:
        """The server's process as it was last started here, alive or not."""
        try:
            pid, started = self._process.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return None
        return Process(int(pid), int(started))

    def keep_process(self, process: Process) -> None:
        """Write down which process the server is."""
        _write_private(self._process, f"{process.pid} {process.started}\n")

    def failure(self, what: str) -> MongodError:
        """An error that says what went wrong, with the last words of the server, in one line."""
        output = _tail(self.output)
        words = missing_library("\n".join(output)) or " | ".join(_last_words(_tail(self.log)) or output[-3:])
        return MongodError(f"{what}: {words or 'it said nothing'}")


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _tail(path: Path, lines: int = 200) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def _last_words(log: list[str]) -> list[str]:
    """The last three errors in a log, or its last three lines if it holds none."""
    entries = []
    for line in log:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        attributes = json.dumps(entry["attr"]) if entry.get("attr") else ""
        entries.append((entry.get("s"), f"{entry.get('msg')} {attributes}".strip()[:300]))
    errors = [text for severity, text in entries if severity in ("E", "F")]
    return (errors or [text for _, text in entries])[-3:]
