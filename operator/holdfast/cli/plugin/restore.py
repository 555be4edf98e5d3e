"""``kubectl holdfast restore``: a RestoreRun, planned or done."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from holdfast.cli.console import print_table, print_warning
from holdfast.cli.plugin.options import (
    LISTS_POLICIES,
    LISTS_RUNS,
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    Timeout,
    person,
)
from holdfast.cli.plugin.printing import print_object, reference
from holdfast.cli.plugin.waiting import exit_code, wait_for_end
from holdfast.cli.restore_options import (
    BeforeDrop,
    Confirm,
    Exclude,
    ExistingOption,
    Include,
    Rename,
    StrategyOption,
    renamed,
)
from holdfast.domain.human import human_bytes
from holdfast.domain.restoring import Existing, Strategy
from holdfast.errors import InvalidInput, InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, KubeObject
from holdfast.specs.names import fit

LATEST = "latest"
_NAME_LIMIT = 240
"""The API server appends its own letters to it, up to 253."""


def restore(
    policy: Annotated[
        str | None, typer.Argument(metavar="POLICY", help="The BackupPolicy in whose repository the backup lies.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply/--plan", help="Do it. The default says what would happen, and changes nothing.")
    ] = False,
    backup: Annotated[
        str, typer.Option("--backup", metavar="ID", help="Id of a backup, a unique prefix of one, or latest.")
    ] = LATEST,
    point_in_time: Annotated[
        str | None,
        typer.Option(
            "--point-in-time", metavar="TIME", help="As all was at the end of this second, 2026-11-23T01:59:59Z."
        ),
    ] = None,
    drop: BeforeDrop = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Instead of POLICY: the BackupRun that took the backup.")
    ] = None,
    database: Annotated[
        str | None, typer.Option("--database", metavar="DB", help="Restore into this one. Default: where it came from.")
    ] = None,
    uri_secret: Annotated[
        str | None,
        typer.Option("--uri-secret", metavar="NAME", help="Secret with the MONGODB_URI of another server."),
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    rename: Rename = None,
    existing: ExistingOption = Existing.FAIL,
    strategy: StrategyOption = Strategy.AUTO,
    confirm: Confirm = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Whether to wait for the end.")] = True,
    timeout: Timeout = 0,
    namespace: Namespace = None,
    output: Output = Form.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Plan a restore, or do it, by a RestoreRun. It runs in the cluster, whether it is waited for or not."""
    _need_one(policy, run, [backup if backup != LATEST else None, point_in_time, drop])
    me = person(kubeconfig, context)
    place = namespace or me.namespace
    if run:
        me.need(BACKUP_RUN, place, run, hint=LISTS_RUNS)
        source: dict[str, Any] = {"backupRunRef": {"name": run}}
    else:
        me.need(BACKUP_POLICY, place, str(policy), hint=LISTS_POLICIES)
        source = {"policyRef": {"name": policy}, **_chosen(backup, point_in_time, drop)}
    target = {"database": database, "uriSecretRef": {"name": uri_secret} if uri_secret else None}
    spec: dict[str, Any] = {
        "source": source,
        "mode": "Apply" if apply else "Plan",
        "target": {key: value for key, value in target.items() if value},
        "include": include,
        "exclude": exclude,
        "rename": [dict(zip(("from", "to"), renamed(one), strict=True)) for one in rename or ()],
        "existing": str(existing),
        "strategy": str(strategy),
        "confirm": confirm,
    }
    metadata = {"generateName": f"{fit(str(policy or run), _NAME_LIMIT)}-", "namespace": place}
    body = {"metadata": metadata, "spec": {key: value for key, value in spec.items() if value}}
    made = me.create(RESTORE_RUN, body)
    named = reference(RESTORE_RUN, made["metadata"]["name"])
    if not wait:
        print_object(RESTORE_RUN, made, output, f"{named} created")
        return
    ended = wait_for_end(me, RESTORE_RUN, made, timeout)
    _show(ended, output, named, planned=not apply)
    refused = InvalidInput.exit_code if (ended["status"].get("plan") or {}).get("conflicts") else 0
    raise typer.Exit(exit_code(ended) or refused)


def _need_one(policy: str | None, run: str | None, given: Sequence[str | None]) -> None:
    """``given``: what may be said beside a policy, of which there is one at most; beside a run there is none."""
    several = sum(one is not None for one in given) > (0 if run else 1)
    if (policy is None) == (run is None) or several:
        raise InvalidSpec(
            "One backup is wanted, or one moment.",
            hint="Give POLICY, alone or with one of --backup ID, --point-in-time TIME and --before-drop NAME; or --run "
            "RUN, and none of them.",
        )


def _chosen(backup: str, point_in_time: str | None, drop: str | None) -> dict[str, Any]:
    if point_in_time:
        return {"pointInTime": point_in_time}
    if drop:
        return {"before": {"namespace": drop, "operation": "drop"}}
    return {"latest": True} if backup == LATEST else {"backupId": backup}


def _show(ended: KubeObject, output: Form, named: str, *, planned: bool) -> None:
    plan = ended["status"].get("plan") or {}
    if planned and output in (Form.TABLE, Form.WIDE):
        _show_collections(plan)
    print_object(RESTORE_RUN, ended, output, f"{named} {ended['status']['phase']}")
    for warning in plan.get("warnings", ()):
        print_warning(warning)
    for conflict in plan.get("conflicts", ()):
        print_warning(f"It would fail: {conflict}")


def _show_collections(plan: KubeObject) -> None:
    rows = [
        (
            one["name"], one.get("target", one["name"]), one["action"], _number(one.get("documents")),
            human_bytes(one.get("bytes") or 0), _number(one.get("existingDocuments")),
        )
        for one in plan.get("collections", ())
    ]  # fmt: skip
    if rows:
        print_table(("COLLECTION", "INTO", "ACTION", "DOCUMENTS", "SIZE", "THERE NOW"), rows)


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
