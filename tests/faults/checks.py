"""What must hold after the faults, each a function that returns sentences about what does not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.faults.ledger import NAMES, Ledger, entries_in
from tests.faults.scene import ALL, DEADLINE_SECONDS, CommandLineFailed, Place, Scene
from tests.support.compare import DatabaseImage, differences, snapshot_of
from tests.support.kubectl import Object

TERMINAL = {"Succeeded", "PartiallyFailed", "Failed", "Cancelled"}
TOLD = TERMINAL - {"Cancelled"}
GRACE = timedelta(minutes=2)
SECOND = timedelta(seconds=1)
SWEEP_SECONDS = 60.0
Span = tuple[datetime, datetime]


def name_of(body: Object) -> str:
    return str(body["metadata"]["name"])


def phase_of(run: Object) -> str:
    return str(run.get("status", {}).get("phase", ""))


def is_imported(run: Object) -> bool:
    """Whether it stands for a backup whose own run could not say that it is there: nobody ran it, nobody is told."""
    return bool(run["spec"].get("reason") == "Imported")


def has_pruned(run: Object) -> bool:
    """Whether a good backup was followed by a prune that went well."""
    retention = run.get("status", {}).get("retention", {})
    return phase_of(run) == "Succeeded" and "time" in retention and not retention.get("error")


def open_runs(runs: Sequence[Object]) -> list[str]:
    return [f"{name_of(run)} is {phase_of(run) or 'without a phase'}" for run in runs if phase_of(run) not in TERMINAL]


def length_of(run: Object) -> timedelta:
    """From the making of a run to its end."""
    return moment(run["status"]["completionTime"]) - moment(run["metadata"]["creationTimestamp"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def in_time(runs: Sequence[Object], outages: Sequence[Span]) -> Iterator[str]:
    """Each run ends within its deadline and two minutes. While nobody could have written that down, time stands still;
    ``outages`` do not overlap."""
    limit = timedelta(seconds=DEADLINE_SECONDS) + GRACE
    for run in runs:
        if phase_of(run) not in TERMINAL or is_imported(run):
            continue
        begin, end = moment(run["metadata"]["creationTimestamp"]), moment(run["status"]["completionTime"])
        lost = sum((max(min(end, till) - max(begin, since), timedelta()) for since, till in outages), timedelta())
        if end - begin - lost > limit:
            yield f"{name_of(run)} took {end - begin}, {lost} of it without an API server: past its deadline"


def explained(runs: Sequence[Object]) -> Iterator[str]:
    """A run that did not succeed says why."""
    for run in runs:
        status = run.get("status", {})
        if phase_of(run) != "Succeeded" and not (status.get("reason") and status.get("message")):
            yield f"{name_of(run)} is {phase_of(run)} and does not say why"


def told(policies: Sequence[Object], runs: Sequence[Object], received: Sequence[str]) -> Iterator[str]:
    """Every end of a run was told by a mail that arrived; ``received``: the Message-IDs."""
    arrived = {message_id.strip("<>") for message_id in received}
    for run in runs:
        deliveries = run["status"].get("notifications", {}).get("deliveries", [])
        if phase_of(run) in TOLD and not deliveries and not is_imported(run):
            yield f"{name_of(run)}: nobody is owed its end"
        yield from _undelivered(run, deliveries, arrived)
    for policy in policies:
        deliveries = policy["status"].get("notifications", {}).get("deliveries", [])
        yield from _undelivered(policy, deliveries, arrived)


def _undelivered(owner: Object, deliveries: Sequence[Object], arrived: set[str]) -> Iterator[str]:
    for delivery in deliveries:
        what = f"{name_of(owner)}: the mail {delivery['event']}"
        if delivery["phase"] != "Sent":
            yield f"{what} is {delivery['phase']}: {delivery.get('error', 'no error')}"
        elif delivery["messageId"].strip("<>") not in arrived:
            yield f"{what} counts as sent and did not arrive"


def doubled(received: Sequence[str]) -> int:
    """How many mails came once more than needed: the answer of the server was lost."""
    return sum(count - 1 for count in Counter(received).values())


def clean(scene: Scene, place: Place) -> Iterator[str]:
    """Every backup that is stored is whole, to the last byte."""
    report = scene.holdfast(place, "verify", "--read-data", good=(0, 1, 3))
    if not report["good"]:
        yield f"{place.policy}: verify finds {report['damage']}"


def swept(scene: Scene, place: Place) -> Iterator[str]:
    """A sweep, which must take nothing that is needed, finds nobody in its way: no dead worker's lock is left."""
    try:
        scene.holdfast(place, "prune", "--keep-last", str(ALL), seconds=SWEEP_SECONDS)
    except CommandLineFailed as error:
        yield f"{place.policy} cannot be swept: {error}"


def unpruned(runs: Sequence[Object]) -> Counter[str]:
    """Why good backups were followed by no prune, or by one that failed. The next one makes up for it."""
    good = [run["status"].get("retention", {}) for run in runs if phase_of(run) == "Succeeded" and not is_imported(run)]
    return Counter(
        retention.get("reason", "Unknown" if retention else "NotReported")
        for retention in good
        if not retention or retention.get("error")
    )


def kept(place: Place, runs: Sequence[Object], stored: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is stored is what the rule asks for; a run that says Succeeded has a backup, unless the rule let it go."""
    mine = [run for run in runs if run["spec"]["policyRef"]["name"] == place.policy]
    complete = [backup["backupId"] for backup in stored if backup["phase"] == "Succeeded"]
    if len(complete) > place.kept:
        yield f"{place.policy}: {len(complete)} backups are stored, the rule keeps {place.kept}"
    began = {backup["backupId"]: moment(backup["startTime"]) for backup in stored}
    for run in mine:
        status = run["status"]
        if phase_of(run) != "Succeeded":
            continue
        if not status.get("backupId"):
            yield f"{name_of(run)} says Succeeded and names no backup"
        elif status["backupId"] not in began:
            newer = [one for one in complete if began[one] >= moment(status["startTime"])]
            if len(newer) < place.kept:
                yield f"{name_of(run)}: its backup {status['backupId']} is gone, with {len(newer)} newer ones"


def restorable(
    scene: Scene, place: Place, backup: Mapping[str, Any], before: DatabaseImage, ledger: Ledger
) -> list[str]:
    """A backup restores exactly: the still data byte for byte, and the ledger as it was at one moment of the backup."""
    backup_id, target = str(backup["backupId"]), "faults_restored"
    client = scene.mongod.client
    client.drop_database(target)
    try:
        report = scene.holdfast(place, "restore", backup_id, "--database", target)
        wrong = [] if report["verified"] else ["the restore does not call itself verified"]
        wrong += differences(before, snapshot_of(client[target], skip=NAMES))
        count, found = entries_in(client[target])
        wrong += found
        low, high = ledger.bounds(moment(backup["startTime"]), moment(backup["completionTime"]) + SECOND)
        if not low <= count <= high:
            wrong.append(f"it holds {count} entries of the ledger, of that time are {low} to {high}")
    except CommandLineFailed as error:
        wrong = [str(error)]
    finally:
        client.drop_database(target)
    return [f"{place.policy}, backup {backup_id}: {one}" for one in wrong]
