"""``kubectl holdfast hold``: keep a backup for ever."""

from typing import Annotated

import typer

from holdfast.cli.plugin.options import Context, Form, Kubeconfig, Namespace, Output, person
from holdfast.cli.plugin.printing import print_object, reference
from holdfast.ports import BACKUP_RUN
from holdfast.services.hold import set_hold


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
    changed = set_hold(me.cluster, place, run, hold=not let_go)
    said = f"{reference(BACKUP_RUN, run)} {'released' if let_go else 'held'}"
    print_object(BACKUP_RUN, changed, output, said)
