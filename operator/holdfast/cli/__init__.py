"""The ``holdfast`` command: thin; each command parses, calls one service, prints.

Standard output holds results only; everything said on the way goes to standard error.
"""

import typer

from holdfast.cli import (
    archive_oplog,
    backup,
    crds,
    export,
    hold,
    import_dump,
    keygen,
    list_backups,
    prune,
    restore,
    schema,
    send_test_mail,
    show,
    stats,
    verify,
    version,
)
from holdfast.cli.outcome import run
from holdfast.version import VERSION

app = typer.Typer(
    name="holdfast",
    help="Keep MongoDB databases restorable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"holdfast {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    wanted: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print it."),
) -> None:
    del wanted


app.command("backup")(backup.backup)
app.command("archive-oplog")(archive_oplog.archive_oplog)
app.command("list")(list_backups.list_backups)
app.command("show")(show.show)
app.command("verify")(verify.verify_backup)
app.command("prune")(prune.prune_repository)
app.command("hold")(hold.hold_backup)
app.command("keygen")(keygen.keygen)
app.command("restore")(restore.restore_backup)
app.command("stats")(stats.stats)
app.command("schema")(schema.schema)
app.command("export")(export.export_backup)
app.command("import")(import_dump.import_backup)
app.command("crds")(crds.crds)
app.command("test-mail")(send_test_mail.send_test_mail)
app.command("version")(version.version)
worker = typer.Typer(help="Runs in the Jobs that the operator makes; not for people.", no_args_is_help=True)
app.add_typer(worker, name="worker")


# Kopf and the Kubernetes client take most of a second to import: only who needs them pays.
@app.command("operator")
def _operator() -> None:
    """Run the Kubernetes operator. It takes its settings from the environment: HOLDFAST_IMAGE and others."""
    from holdfast.cli.operator import run_operator

    run_operator()


@app.command("web")
def _web() -> None:
    """Run the HTTP API. It takes its settings from the environment: HOLDFAST_PORT and others."""
    from holdfast.cli.web import run_web

    run_web()


@worker.command("backup")
def _worker_backup() -> None:
    """Take the backup that this pod was started for."""
    from holdfast.cli.worker import worker_backup

    worker_backup()


@worker.command("prune")
def _worker_prune() -> None:
    """Remove what the rule of this pod's policy does not keep."""
    from holdfast.cli.worker import worker_prune

    worker_prune()


@worker.command("sync")
def _worker_sync() -> None:
    """Give the backups in the repository of this pod's policy their BackupRuns."""
    from holdfast.cli.worker import worker_sync

    worker_sync()


@worker.command("delete")
def _worker_delete() -> None:
    """Remove the backup of a BackupRun that is being deleted."""
    from holdfast.cli.worker import worker_delete

    worker_delete()


@worker.command("restore")
def _worker_restore() -> None:
    """Do the restore that this pod was started for."""
    from holdfast.cli.worker import worker_restore

    worker_restore()


@worker.command("archive")
def _worker_archive() -> None:
    """Archive the oplog of the source of this pod's policy, until it is asked to stop."""
    from holdfast.cli.worker_archive import worker_archive

    worker_archive()


@worker.command("drill")
def _worker_drill() -> None:
    """Make the drill that this pod was started for."""
    from holdfast.cli.worker import worker_drill

    worker_drill()


def main() -> None:
    """Run the command line. Every error of ours ends in one or two lines and its exit code, never in a traceback."""
    run(app)
