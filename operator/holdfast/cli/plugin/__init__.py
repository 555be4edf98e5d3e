"""``kubectl holdfast``: a plugin of kubectl, with the rights of the user's own kubeconfig and no other.

It makes and reads the objects that anybody may write by hand; all work is done by the operator.
"""

import typer

from holdfast.cli.outcome import run
from holdfast.cli.plugin import backup, download, drill, hold, logs, restore, runs, status
from holdfast.version import VERSION

app = typer.Typer(
    name="kubectl holdfast",
    help="Keep MongoDB databases restorable, from kubectl.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kubectl-holdfast {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print it."),
) -> None:
    del version


app.command("status")(status.status)
app.command("runs")(runs.runs)
app.command("backup")(backup.backup)
app.command("logs")(logs.logs)
app.command("restore")(restore.restore)
app.command("download")(download.download)
app.command("hold")(hold.hold)
app.command("drill")(drill.drill)


def main() -> None:
    """Run the plugin, with the exit codes of ``holdfast``."""
    run(lambda: app(prog_name="kubectl holdfast"))
