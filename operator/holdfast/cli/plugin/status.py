"""``kubectl holdfast status``: how the policies do."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from holdfast.cli.plugin.options import (
    LISTS_POLICIES,
    AllNamespaces,
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    person,
)
from holdfast.cli.plugin.printing import print_object, print_rows
from holdfast.domain.human import human_bytes
from holdfast.errors import InvalidSpec
from holdfast.ports import BACKUP_POLICY, KubeObject
from holdfast.resources.base import format_time
from holdfast.resources.policy import BackupPolicyStatus


def status(
    policy: Annotated[
        str | None, typer.Argument(metavar="POLICY", help="Tell all of this one. Default: a line for each.")
    ] = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Output = Form.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Tell how policies do: a line for each, or all of one."""
    me = person(kubeconfig, context)
    place = None if all_namespaces else namespace or me.namespace
    if policy and place is None:
        raise InvalidSpec("A policy is in one namespace.", hint="Leave out -A, or the policy's name.")
    if policy and place and output is not Form.WIDE:
        found = me.need(BACKUP_POLICY, place, policy, hint=LISTS_POLICIES)
        lines = "\n".join(f"{title + ':':<15}{text}".rstrip() for title, text in _lines(found))
        print_object(BACKUP_POLICY, found, output, lines)
        return
    table = me.table(BACKUP_POLICY, place)
    rows = [row for row in table.rows if policy in (None, row["object"]["metadata"]["name"])]
    print_rows(BACKUP_POLICY, table, rows, output, place)
    sys.stdout.flush()


def _lines(policy: KubeObject) -> Iterator[tuple[str, str]]:
    """Titles and texts. An empty title goes on with the one before."""
    spec, metadata = policy["spec"], policy["metadata"]
    # Only the status: it reads over what a newer release has added.
    told = BackupPolicyStatus.model_validate(policy.get("status") or {})
    yield "Policy", f"{metadata['namespace']}/{metadata['name']}"
    for condition in told.conditions:
        if condition.type == "Ready":
            yield "Ready", f"{condition.status} ({condition.reason}): {condition.message}"
    if told.health:
        yield "Health", f"{told.health.verdict} since {format_time(told.health.since)}"
        for check in told.health.checks:
            yield f"  {check.name}", f"\n    {check.status}: {check.message}"
    yield "Schedule", _schedule(spec["schedule"], told)
    if last := told.last_run:
        yield "Last run", f"{last.name}: {last.phase}{f': {last.message}' if last.message else ''}"
    if good := told.last_successful_run:
        when = f" at {format_time(good.completion_time)}" if good.completion_time else ""
        size = f", {good.documents} documents, {human_bytes(good.stored_bytes or 0)}" if good.documents else ""
        yield "Last success", f"{good.name}{when}: backup {good.backup_id}{size}"
    else:
        yield "Last success", "none"
    if told.retention:
        yield "Backups", f"{told.retention.kept or 0} are kept"
    if drill := told.last_drill:
        took = f" in {drill.duration}" if drill.duration else ""
        yield "Last drill", f"{drill.result} at {format_time(drill.time)}{took}"


def _schedule(schedule: dict[str, Any], told: BackupPolicyStatus) -> str:
    text = f"{schedule['cron']} ({schedule.get('timeZone', 'Etc/UTC')})"
    if schedule.get("suspend"):
        return f"{text}, suspended"
    return f"{text}, next {format_time(told.next_schedule_time)}" if told.next_schedule_time else text
