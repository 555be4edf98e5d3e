"""Options that several commands share, and how they become a source or a repository."""

import os
import signal
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from holdfast.errors import Interrupted, SecretMissing
from holdfast.repository.repository import Repository
from holdfast.wiring.opening import LEVEL, open_repository, open_store, read_key, read_uri

VARIABLE = "MONGODB_URI"
STEP_SECONDS = 10.0

RepositoryOption = Annotated[
    str,
    typer.Option(
        "--repository",
        metavar="REPO",
        help="Where backups lie: mongodb: (beside the source), mongodb:DATABASE, mongodb+file:PATH, file:///PATH, "
        "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, or az://CONTAINER/PREFIX.",
    ),
]
UriFile = Annotated[
    Path | None,
    typer.Option("--uri-file", metavar="PATH", help=f"File with the MongoDB URI; else the variable {VARIABLE}."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key-file", metavar="PATH", help="File with the encryption key of the repository."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Backup = Annotated[str, typer.Argument(metavar="BACKUP", help="An id, a unique prefix of one, or latest.")]


def uri_given(uri_file: Path | None) -> tuple[str | None, str]:
    """The MongoDB URI, if one is given, and where it came from."""
    if uri_file:
        origin = f"file {uri_file}"
        return read_uri(uri_file, origin=origin), origin
    return os.environ.get(VARIABLE) or None, f"the variable {VARIABLE}"


def uri_needed(uri_file: Path | None) -> tuple[str, str]:
    """Like ``uri_given``; SecretMissing if there is none."""
    uri, origin = uri_given(uri_file)
    if uri is None:
        raise SecretMissing("No MongoDB URI is given.", hint=f"Set {VARIABLE}, or give --uri-file PATH.")
    return uri, origin


def repository_at(
    address: str,
    uri_file: Path | None,
    key_file: Path | None,
    *,
    database: str | None = None,
    level: int = LEVEL,
) -> Repository:
    """The repository at an address, opened as far as the store; its format is checked by ``Repository.open``."""
    uri, origin = uri_given(uri_file)
    key = read_key(key_file, origin=f"file {key_file}") if key_file else None
    return open_repository(open_store(address, uri=uri, uri_origin=origin, database=database), level=level, key=key)


def stop_on_signals() -> Event:
    """An event that the first SIGINT or SIGTERM sets; the second ends the process at once.

    Work looks at the event between two steps. Where a step does not end, as with a server that does not answer,
    Interrupted is raised in it after STEP_SECONDS.
    """
    stop = Event()

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, STEP_SECONDS)

    def insist(_number: int, _frame: object) -> None:
        raise Interrupted("Asked to stop in the middle of a step that did not end.")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    signal.signal(signal.SIGALRM, insist)
    return stop
