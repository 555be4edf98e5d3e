"""``python -m tests.demo [up|down]``: see README. KEEP=0 takes everything down at the end."""

import json
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from time import gmtime, monotonic, strftime
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests import cluster
from tests.cluster.network import ensure_bridge
from tests.demo.console import DemoError, Shell, holdfast, say, step
from tests.demo.dashboard import open_dashboard
from tests.demo.mail import MailBox
from tests.support.cache import cache_directory
from tests.support.compare import DatabaseImage, differences, snapshot_of
from tests.support.mongod import Mongod, MongodError
from tests.support.timetrack import generate

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "timetrack"
SYSTEM = "holdfast-system"
COLLECTIONS = ("users", "timeEntries", "userGoals", "feedback", "feedbackVotes", "dayReflections")
ENTRIES = 40_000
THEN = "timetrack_then"
"""Where the moment before the accident is restored to."""
ARCHIVED_SECONDS = 60.0


@dataclass(frozen=True)
class Database:
    """The local MongoDB, and who uses it."""

    mongod: Mongod
    application_uri: str

    @property
    def client(self) -> MongoClient[dict[str, Any]]:
        return self.mongod.client


def directory() -> Path:
    return cache_directory() / "demo"


def demo() -> None:
    """Run the whole demo. DemoError, ClusterError or MongodError when it cannot go on."""
    with step(1, "A local MongoDB with a TimeTrack database"):
        database = start_database()
    with step(2, "A local Kubernetes, the image, and the operator by Helm"):
        shell = start_operator()
    with MailBox(host_address(), directory() / "mail") as box:
        with step(3, "A Secret from an .env file, and a BackupPolicy"):
            apply_policy(shell, database, box)
        with step(4, "Two backups: a Job from the CronJob, and a BackupRun; and their mail"):
            backup_id = take_backups(shell)
            box.show(2)
        with step(5, "Damage, a plan, and a restore that is proven"):
            restore(shell, database, backup_id)
        with step(6, "A drop by accident, and the second before it"):
            go_back_to_the_second_before(shell, database)
    with step(7, "The dashboard, in a browser"):
        open_dashboard(shell, SYSTEM, NAMESPACE, "timetrack", directory() / "pictures")
    with step(8, "The end"):
        finish()


def host_address() -> str:
    """Where pods reach this machine."""
    return os.environ.get("HOLDFAST_HOST_ADDRESS") or ensure_bridge()


def start_database() -> Database:
    address = host_address()
    place = directory() / "mongod"
    if (place / "uri").exists():
        mongod = Mongod.attach(place)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        mongod = Mongod(directory=place, bind=("127.0.0.1", address), advertise=address, detach=True)
    mongod.start()
    version = mongod.client.server_info()["version"]
    say(f"MongoDB {version}, a replica set with access control, at {address}:{mongod.port}")
    mongod.client.drop_database("timetrack")
    generate(mongod.client["timetrack"], entries=ENTRIES)
    for name in COLLECTIONS:
        say(f"{name:<16}{mongod.client['timetrack'][name].estimated_document_count():>8} documents")
    user = f"timetrack-{secrets.token_hex(4)}"
    # dbAdmin: a collection with a validator is restored past it. backup and restore: for any second.
    roles = [{"role": role, "db": name} for role in ("readWrite", "dbAdmin") for name in ("timetrack", THEN)]
    password = mongod.create_user(user, [*roles, *({"role": role, "db": "admin"} for role in ("backup", "restore"))])
    return Database(mongod, mongod.uri_for(user, password, database="timetrack"))


def start_operator() -> Shell:
    up = cluster.up()
    image = cluster.build_image()
    shell = Shell(up.bin_dir, {**os.environ, "KUBECONFIG": str(up.kubeconfig)})
    repository, _, tag = image.rpartition(":")
    # fmt: off
    shell.run(
        "helm", "upgrade", "--install", "holdfast", str(ROOT / "charts" / "holdfast"),
        "--namespace", SYSTEM, "--create-namespace",
        "--set", f"image.repository={repository}", "--set", f"image.tag={tag}", "--set", "web.enabled=true",
        "--wait", "--timeout", "3m",
    )
    # fmt: on
    shell.show("kubectl", "get", "pods", "--namespace", SYSTEM)
    return shell


def apply_policy(shell: Shell, database: Database, box: MailBox) -> None:
    if shell.succeeds("kubectl", "get", "namespace", NAMESPACE):
        say("What an earlier demo left goes first.")
        shell.run("kubectl", "delete", "namespace", NAMESPACE, "--timeout", "2m")
    shell.run("kubectl", "create", "namespace", NAMESPACE)
    env = directory() / ".env.local"
    env.touch(mode=0o600)
    env.write_text(
        f"MONGODB_URI={database.application_uri}\n"
        f"ADMIN_EMAIL=admin@example.org\nSMTP_HOST={box.host}\nSMTP_PORT={box.port}\nSMTP_SECURE=false\n"
        "SMTP_USER=\nSMTP_PASSWORD=\nFROM_EMAIL=holdfast@example.org\n"
    )
    shell.run("kubectl", "create", "secret", "generic", "timetrack", f"--from-env-file={env}", "--namespace", NAMESPACE)
    env.unlink()
    shell.run("kubectl", "apply", "--namespace", NAMESPACE, "-f", str(ROOT / "manifests/samples/timetrack.yaml"))
    shell.run(
        *("kubectl", "wait", "--for=condition=Ready", "backuppolicy/timetrack"),
        *("--namespace", NAMESPACE, "--timeout", "60s"),
    )
    shell.show("kubectl", "get", "backuppolicies", "--namespace", NAMESPACE)


def take_backups(shell: Shell) -> str:
    job = "timetrack-by-hand"
    shell.run("kubectl", "create", "job", "--from=cronjob/timetrack", job, "--namespace", NAMESPACE)
    created = shell.run(
        *("kubectl", "create", "-f", str(ROOT / "manifests/samples/run.yaml")),
        *("--namespace", NAMESPACE, "--output", "jsonpath={.metadata.name}"),
    )
    for run in (job, created):
        for condition in ("create", "condition=Complete"):
            shell.run(
                *("kubectl", "wait", f"--for={condition}", f"backuprun/{run}"),
                *("--namespace", NAMESPACE, "--timeout", "3m"),
            )
    shell.show("kubectl", "get", "backuppolicies,backupruns,cronjobs,jobs", "--namespace", NAMESPACE)
    # fmt: off
    return shell.run(
        "kubectl", "get", f"backuprun/{created}", "--namespace", NAMESPACE, "--output", "jsonpath={.status.backupId}",
        show=False,
    )
    # fmt: on


def restore(shell: Shell, database: Database, backup_id: str) -> None:
    client = database.client
    before = image_of(client, "timetrack")
    client["timetrack"]["feedback"].drop()
    changed = client["timetrack"]["timeEntries"].update_many({}, {"$set": {"note": "overwritten"}}).modified_count
    say(f"Collection feedback is dropped, and {changed} time entries are overwritten.")
    if not differences(before, image_of(client, "timetrack")):
        raise DemoError("The damage did not show: the comparison is worth nothing.")
    uri = str(database.mongod.uri_file)
    say(holdfast(shell, "show", backup_id, "--repository", "mongodb:timetrack", "--uri-file", uri))
    damaged = image_of(client, "timetrack")
    plan = ask_to_restore(shell, "restore-plan.yaml")
    # fmt: off
    shell.show(
        "kubectl", "get", plan, "--namespace", NAMESPACE, "--output",
        r'jsonpath={range .status.plan.collections[*]}{.action}{"\t"}{.name}{"\t"}{.documents}{"\n"}{end}',
    )
    # fmt: on
    if differences(damaged, image_of(client, "timetrack")):
        raise DemoError("The plan changed something.")
    ask_to_restore(shell, "restore.yaml")
    shell.show("kubectl", "get", "restoreruns,backupruns", "--namespace", NAMESPACE)
    found = differences(before, image_of(client, "timetrack"))
    if found:
        raise DemoError("The restored database differs from the original:\n" + "\n".join(found[:10]))
    documents = sum(collection.count for collection in before.collections.values())
    say(
        f"Proven: all {documents} documents of {len(before.collections)} collections, byte for byte, with their indexes"
    )
    say("and options, are what they were before the damage.")


def go_back_to_the_second_before(shell: Shell, database: Database) -> None:
    client = database.client
    client.drop_database(THEN)
    archive = {"spec": {"pointInTime": {"enabled": True, "sliceSeconds": 1}}}
    shell.run(
        *("kubectl", "patch", "backuppolicy/timetrack", "--type", "merge", "--patch", json.dumps(archive)),
        *("--namespace", NAMESPACE),
    )
    say("An archiver follows the oplog from now on, and a backup starts by itself, from which it can be replayed.")
    shell.run(
        *("kubectl", "wait", "--for=condition=PointInTime", "backuppolicy/timetrack"),
        *("--namespace", NAMESPACE, "--timeout", "3m"),
    )
    users = client["timetrack"]["users"]
    changed = users.update_many({}, {"$set": {"greeting": "written behind the backup"}}).modified_count
    before = image_of(client, "timetrack")
    users.drop()
    say(f"{changed} users are changed, and a moment later collection users is dropped, by accident.")
    wait_until_archived(shell, client)
    shell.show("kubectl", "get", "backuppolicies", "--output", "wide", "--namespace", NAMESPACE)
    ask_to_restore(shell, "before-the-drop.yaml")
    shell.show("kubectl", "get", "restoreruns", "--output", "wide", "--namespace", NAMESPACE)
    found = differences(before, image_of(client, THEN))
    if found:
        raise DemoError("The moment before the drop is not what it was:\n" + "\n".join(found[:10]))
    documents = sum(collection.count for collection in before.collections.values())
    say(f"Proven: database {THEN} holds all {documents} documents as they were just before the drop,")
    say("with what was written behind the last backup.")


def wait_until_archived(shell: Shell, client: MongoClient[dict[str, Any]]) -> None:
    """Until what is written now can be restored. DemoError if that takes too long."""
    seconds = client.admin.command("hello")["lastWrite"]["opTime"]["ts"].time
    second = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))
    deadline = monotonic() + ARCHIVED_SECONDS
    to = ("--output", "jsonpath={.status.pointInTime.to}", "--namespace", NAMESPACE)
    while shell.run("kubectl", "get", "backuppolicy/timetrack", *to, show=False).strip() < second:
        if monotonic() > deadline:
            raise DemoError("The archiver is not at work: see kubectl logs deployment/timetrack-oplog.")


def ask_to_restore(shell: Shell, sample: str) -> str:
    """Create a RestoreRun from a sample, wait until it has done its work, and return its name as kubectl takes it."""
    run = shell.run(
        *("kubectl", "create", "-f", str(ROOT / "manifests/samples" / sample)),
        *("--namespace", NAMESPACE, "--output", "name"),
    ).strip()
    shell.run(
        *("kubectl", "wait", "--for=condition=Complete", run),
        *("--namespace", NAMESPACE, "--timeout", "3m"),
    )
    return run


def image_of(client: MongoClient[dict[str, Any]], name: str) -> DatabaseImage:
    return snapshot_of(client[name], list(COLLECTIONS))


def finish() -> None:
    if os.environ.get("KEEP", "1") == "0":
        take_down()
        return
    environment = (
        f"export KUBECONFIG={os.environ.get('HOLDFAST_KUBECONFIG') or cache_directory() / 'cluster/kubeconfig'}"
    )
    say(f"The cluster stays up. To look around:\n\n  {environment}")
    say(f"  export PATH={cache_directory() / 'bin'}:$PATH")
    say(f"  kubectl get backuppolicies,backupruns,restoreruns --namespace {NAMESPACE}")
    say(f"  kubectl port-forward --namespace {SYSTEM} service/holdfast-web 8082   # http://127.0.0.1:8082")
    say(f"  kubectl create token viewer --namespace {NAMESPACE}                    # to sign in there")
    say(f"  kubectl describe backuppolicy timetrack --namespace {NAMESPACE}\n\nTo stop it: make demo-down")


def take_down() -> None:
    """End the cluster and the database. A cluster of the user's own keeps running, without what the demo put there."""
    if config := os.environ.get("HOLDFAST_KUBECONFIG"):
        shell = Shell(cache_directory() / "bin", {**os.environ, "KUBECONFIG": config})
        shell.run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found")
        shell.run("helm", "uninstall", "holdfast", "--namespace", SYSTEM, "--ignore-not-found")
    place = directory() / "mongod"
    if (place / "uri").exists():
        Mongod.attach(place).stop()
        say("MongoDB is stopped.")
    cluster.down()
    say("The cluster is down. What was built stays in the cache for the next time.")


def main() -> int:
    begin = monotonic()
    try:
        if sys.argv[1:] == ["down"]:
            take_down()
            return 0
        print(f"Holdfast's demo, {strftime('%H:%M:%S')}. Its cache: {cache_directory()}")
        demo()
    except (DemoError, cluster.ClusterError, MongodError, PyMongoError) as error:
        print(f"\nThe demo cannot go on: {error}", file=sys.stderr)
        return 1
    print(f"\nAll of it in {monotonic() - begin:.0f} s.")
    return 0


sys.exit(main())
