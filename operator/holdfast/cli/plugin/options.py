"""The options that every command of the plugin shares, in kubectl's own words."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from holdfast.kube.person import Person


class Form(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace. Default: that of the context.")
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")]
Context = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Context of the kubeconfig. Default: the current one.")
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option("--kubeconfig", metavar="PATH", help="Default: the variable KUBECONFIG, else ~/.kube/config."),
]
Output = Annotated[Form, typer.Option("--output", "-o", help="table, wide, json, yaml or name.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end, and exit with its code.")]
Timeout = Annotated[
    int, typer.Option("--timeout", metavar="SECONDS", min=0, help="Wait no longer. 0: as long as it takes.")
]
Policy = Annotated[str, typer.Argument(metavar="POLICY", help="Name of a BackupPolicy.")]


def person(kubeconfig: Path | None, context: str | None) -> "Person":
    """Who asks. The Kubernetes client takes a while to import: --help does without."""
    from holdfast.kube.person import Person

    return Person.from_kubeconfig(kubeconfig, context)


LISTS_POLICIES = "kubectl holdfast status lists them; -n NAME names another namespace."
LISTS_RUNS = "kubectl holdfast runs lists them; -n NAME names another namespace."
