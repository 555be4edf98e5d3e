"""``kubectl holdfast drill``: prove now that the newest backup can be restored."""

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
from holdfast.cli.plugin.waiting import wait_until
from holdfast.errors import InvalidSpec
from holdfast.ports import BACKUP_POLICY, CRON_JOB, JOB, KubeObject
from holdfast.specs.names import drill_cron_job_name


def drill(
    policy: Policy,
    wait: Wait = False,
    timeout: Timeout = 0,
    namespace: Namespace = None,
    output: Output = Form.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Restore the newest good backup for proof, now, as the policy's drills do. Needs the right to create Jobs."""
    me = person(kubeconfig, context)
    place = namespace or me.namespace
    about = me.need(BACKUP_POLICY, place, policy, hint=LISTS_POLICIES)
    if not about["spec"].get("verification", {}).get("drill"):
        raise InvalidSpec(
            f"BackupPolicy {place}/{policy} has no drill.", hint="Say in spec.verification.drill where it restores to."
        )
    cron_job = me.need(
        CRON_JOB, place, drill_cron_job_name(policy), hint="The operator makes it. Does the policy say Ready?"
    )
    made = me.create(JOB, _job(policy, cron_job))
    named = reference(JOB, made["metadata"]["name"])
    if not wait:
        print_object(JOB, made, output, f"{named} created")
        return

    def told(one: KubeObject) -> bool:
        return bool(_last(one).get("job") == made["metadata"]["name"])

    last = _last(wait_until(me, BACKUP_POLICY, about, told, timeout))
    print_object(JOB, made, output, f"{named} {last['result']}: {last.get('message', '')}")
    raise typer.Exit(0 if last["result"] == "Passed" else 1)


def _last(policy: KubeObject) -> dict[str, str]:
    last: dict[str, str] = policy.get("status", {}).get("lastDrill") or {}
    return last


def _job(policy: str, cron_job: KubeObject) -> KubeObject:
    """What ``kubectl create job --from=cronjob/…`` makes."""
    template, owner = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
    return {
        "metadata": {
            "generateName": f"{drill_cron_job_name(policy)}-",
            "namespace": owner["namespace"],
            "labels": template["metadata"].get("labels", {}),
            "annotations": {
                **template["metadata"].get("annotations", {}),
                "cronjob.kubernetes.io/instantiate": "manual",
            },
            "ownerReferences": [
                {"apiVersion": "batch/v1", "kind": "CronJob", "name": owner["name"], "uid": owner["uid"],
                 "controller": True}
            ],
        },
        "spec": template["spec"],
    }  # fmt: skip
