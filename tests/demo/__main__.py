"""``python -m tests.demo [up|down]``: see README. KEEP=0 takes everything down at the end."""

import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, strftime
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests import cluster
from tests.cluster.network import ensure_bridge
from tests.demo.console import DemoError, Shell, holdfast, say, step
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
    with step(6, "The end"):
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
    # dbAdmin: a collection with a validator is restored past it.
    password = mongod.create_user(user, [{"role": role, "db": "timetrack"} for role in ("readWrite", "dbAdmin")])
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
        "--set", f"image.repository={repository}", "--set", f"image.tag={tag}", "--wait", "--timeout", "3m",
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
