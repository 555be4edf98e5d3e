"""``holdfast archive-oplog``."""

from contextlib import closing
from typing import Annotated

import typer

from holdfast.cli.console import errors, print_warning
from holdfast.cli.options import KeyFile, RepositoryOption, UriFile, repository_at, stop_on_signals, uri_needed
from holdfast.services.archive_oplog import ArchiveRequest
from holdfast.services.archive_oplog import archive_oplog as archive
from holdfast.wiring.opening import now, open_oplog, open_source


def archive_oplog(
    repository: RepositoryOption,
    database: Annotated[
        str | None, typer.Option("--database", metavar="DB", help="The database to follow; else the one in the URI.")
    ] = None,
    slice_seconds: Annotated[
        int,
        typer.Option("--slice-seconds", min=1, metavar="N", help="What is written is stored so much later at most."),
    ] = 60,
    once: Annotated[bool, typer.Option("--once", help="End when all that is there now is stored.")] = False,
    uri_file: UriFile = None,
    key_file: KeyFile = None,
) -> None:
    """Keep the oplog in slices, for a restore to any second. Runs until it is asked to stop."""
    stop = stop_on_signals()
    uri, origin = uri_needed(uri_file)
    with closing(open_source(uri, database, origin=origin)) as source:
        name = source.database
    with (
        closing(open_oplog(uri, origin=origin)) as oplog,
        closing(repository_at(repository, uri_file, key_file)) as opened,
    ):
        opened.open(create=True)
        done = archive(ArchiveRequest(name, slice_seconds, once), oplog, opened, now, stop, print_warning)
    errors.print(f"{done.entries} entries in {done.slices} slices; archived up to {done.until}")
