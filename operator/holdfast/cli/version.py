"""``holdfast version``."""

import platform

import typer

from holdfast.cli.console import print_json
from holdfast.cli.options import Json
from holdfast.repository.manifest import FORMAT_VERSION
from holdfast.resources.base import API_VERSION
from holdfast.version import VERSION


def version(json: Json = False) -> None:
    """Print the version of this release, and of what it reads and writes."""
    python = platform.python_version()
    if json:
        print_json(
            {"version": VERSION, "repositoryFormat": FORMAT_VERSION, "apiVersion": API_VERSION, "python": python}
        )
    else:
        typer.echo(f"holdfast {VERSION}")
        typer.echo(f"Repository format {FORMAT_VERSION}, resources {API_VERSION}, Python {python}")
