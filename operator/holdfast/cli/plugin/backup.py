"""``kubectl holdfast backup``: a backup now."""

from typing import Annotated

import typer

from holdfast.cli.plugin.options import (
    LISTS_POLICIES,
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    Policy,
    Timeout,
    Wait,
    person,
)
from holdfast.cli.plugin.printing import print_object, reference
from holdfast.cli.plugin.waiting import exit_code, wait_for_end
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN


def backup(
    policy: Policy,
    wait: Wait = False,
    timeout: Timeout = 0,
    hold: Annotated[bool, typer.Option("--hold", help="Keep the backup for ever.")] = False,
    namespace: Namespace = None,
    output: Output = Form.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Back up now, by a BackupRun. It runs in the cluster, whether it is waited for or not."""
    me = person(kubeconfig, context)
    place = namespace or me.namespace
    me.need(BACKUP_POLICY, place, policy, hint=LISTS_POLICIES)
    metadata = {"generateName": f"{policy}-", "namespace": place}
    made = me.create(BACKUP_RUN, {"metadata": metadata, "spec": {"policyRef": {"name": policy}, "hold": hold}})
    named = reference(BACKUP_RUN, made["metadata"]["name"])
    if not wait:
        print_object(BACKUP_RUN, made, output, f"{named} created")
        return
    ended = wait_for_end(me, BACKUP_RUN, made, timeout)
    print_object(BACKUP_RUN, ended, output, f"{named} {ended['status']['phase']}")
    raise typer.Exit(exit_code(ended))
