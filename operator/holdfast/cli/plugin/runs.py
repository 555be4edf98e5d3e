"""``kubectl holdfast runs``: what ran, newest first."""

from typing import Annotated, Any

import typer

from holdfast.cli.plugin.options import AllNamespaces, Context, Form, Kubeconfig, Namespace, Output, person
from holdfast.cli.plugin.printing import Row, print_rows
from holdfast.ports import BACKUP_RUN, RESTORE_RUN


def runs(
    policy: Annotated[str | None, typer.Argument(metavar="POLICY", help="Only the runs of this BackupPolicy.")] = None,
    restores: Annotated[bool, typer.Option("--restores", help="List RestoreRuns instead of BackupRuns.")] = False,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Output = Form.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the backups that ran or run, or the restores; newest first."""
    me = person(kubeconfig, context)
    kind = RESTORE_RUN if restores else BACKUP_RUN
    place = None if all_namespaces else namespace or me.namespace
    table = me.table(kind, place)
    rows = [row for row in table.rows if policy in (None, _policy_of(row["object"]))]
    print_rows(kind, table, sorted(rows, key=_time_of, reverse=True), output, place)


def _policy_of(run: Any) -> str | None:
    spec = run["spec"]
    reference = spec.get("policyRef") or spec.get("source", {}).get("policyRef") or {}
    name: str | None = reference.get("name") or run.get("status", {}).get("policy")
    return name


def _time_of(row: Row) -> str:
    run = row["object"]
    # Runs whose objects were made anew from the repository began long before their objects.
    time: str = run.get("status", {}).get("startTime") or run["metadata"]["creationTimestamp"]
    return time
