"""``kubectl holdfast hold``: keep a backup for ever."""

from typing import Annotated, Any

import typer

from holdfast.cli.plugin.options import LISTS_RUNS, Context, Form, Kubeconfig, Namespace, Output, person
from holdfast.cli.plugin.printing import print_object, reference
from holdfast.errors import Unavailable
from holdfast.ports import BACKUP_RUN
from holdfast.resources.run import HOLD_ANNOTATION

TRIES = 5


def hold(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name of a BackupRun.")],
    let_go: Annotated[bool, typer.Option("--release", help="Let it go again.")] = False,
    namespace: Namespace = None,
    output: Output = Form.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Keep the backup of a run for ever, whatever the policy's rule says; or no longer."""
    me = person(kubeconfig, context)
    place = namespace or me.namespace
    changes: dict[str, Any] = {"spec": {"hold": not let_go}}
    if let_go:
        changes["metadata"] = {"annotations": {HOLD_ANNOTATION: None}}
    for _ in range(TRIES):
        current = me.need(BACKUP_RUN, place, run, hint=LISTS_RUNS)
        changed = me.cluster.patch(BACKUP_RUN, current, changes)
        if changed:
            said = f"{reference(BACKUP_RUN, run)} {'released' if let_go else 'held'}"
            print_object(BACKUP_RUN, changed, output, said)
            return
    raise Unavailable(f"BackupRun {place}/{run} changes all the time.", hint="Try again.")
