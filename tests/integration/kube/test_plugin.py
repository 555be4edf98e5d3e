"""``kubectl holdfast``, found by the real kubectl, on a real API server, operator and database."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.cli.plugin import app
from tests.cluster.layout import layout
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_drills import SCRATCH, drill
from tests.integration.kube.test_resources import policy
from tests.support.control_plane import ControlPlane
from tests.support.kubelet import LogServer
from tests.support.mongod import Mongod
from tests.support.runbook import DOCS, commands_of


@dataclass
class Done:
    code: int
    out: str
    said: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass
class User:
    """Somebody at a terminal: a kubeconfig, a namespace, and a folder to work in."""

    kubeconfig: Path
    namespace: str
    folder: Path
    programs: list[Path] = field(default_factory=lambda: [Path(sys.executable).parent, layout().bin])

    def kubectl(self, *words: str, seconds: float = 90) -> Done:
        path = ":".join([*map(str, self.programs), os.environ["PATH"]])
        done = subprocess.run(
            [layout().bin / "kubectl", *words],
            env={"PATH": path, "KUBECONFIG": str(self.kubeconfig), "HOME": str(self.folder)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    def holdfast(self, *words: str) -> Done:
        """With exit code 0."""
        done = self.ask(*words)
        assert done.code == 0, done
        return done

    def ask(self, *words: str) -> Done:
        return self.kubectl("holdfast", words[0], "-n", self.namespace, *words[1:])


@pytest.fixture
def user(control_plane: ControlPlane, here: Namespace, tmp_path: Path) -> User:
    return User(control_plane.kubeconfig, here.name, tmp_path)


@pytest.fixture
def limited(control_plane: ControlPlane, here: Namespace, tmp_path: Path) -> User:
    """One who may look and back up, and no more."""
    here.kubectl("create", "serviceaccount", "someone")
    here.kubectl("create", "rolebinding", "someone", "--clusterrole=default:holdfast:backup",
                 f"--serviceaccount={here.name}:someone")  # fmt: skip
    kubeconfig = tmp_path / "someone.kubeconfig"
    control_plane.write_kubeconfig(kubeconfig, here.kubectl("create", "token", "someone").strip())
    return User(kubeconfig, here.name, tmp_path)


# --- kubectl and its plugin ---


def test_kubectl_finds_the_plugin_and_completes_its_words(user: User) -> None:
    assert "kubectl-holdfast" in user.kubectl("plugin", "list").out
    assert user.kubectl("__complete", "holdfast", "").out.splitlines()[-1] == ":4"
    words = user.kubectl("__complete", "holdfast", "").out.splitlines()
    assert {"status", "backup", "runs", "logs", "restore", "download", "hold", "drill"} <= set(words)
    assert user.kubectl("__complete", "holdfast", "restore", "--exi").out.split() == ["--existing", ":4"]
    assert user.kubectl("__complete", "holdfast", "status", "-o", "w").out.split() == ["wide", ":4"]


def test_names_of_policies_are_completed(user: User, here: Namespace) -> None:
    here.apply(policy("shop"), policy("ship"))
    offered = user.kubectl("__complete", "holdfast", "backup", "-n", here.name, "sh").out
    assert offered.split() == ["ship", "shop", ":4"]


def test_the_namespace_of_the_context_is_the_default(user: User, here: Namespace) -> None:
    here.apply(policy())
    config = yaml.safe_load(user.kubeconfig.read_text())
    config["contexts"].append({"name": "there", "context": {"cluster": "test", "user": "test", "namespace": here.name}})
    path = user.folder / "config"
    path.write_text(yaml.safe_dump(config))
    shown = user.kubectl("holdfast", "status", "-o", "name", "--context", "there", "--kubeconfig", str(path))
    assert shown.out.split() == ["backuppolicy.holdfast.dev/shop"]
    assert user.kubectl("holdfast", "status", "-o", "name").out == ""
    assert user.kubectl("holdfast", "status", "--context", "nowhere").code == 2


def test_a_table_is_that_of_kubectl_get(user: User, here: Namespace) -> None:
    here.apply(policy())
    for form in ([], ["-o", "wide"]):
        mine, theirs = user.holdfast("status", *form).out, here.kubectl("get", "bp", *form)
        assert mine.splitlines()[0].split() == theirs.splitlines()[0].split()
    both = user.kubectl("holdfast", "status", "-A").out.splitlines()
    assert both[0].startswith("NAMESPACE")
    assert any(line.startswith(here.name) for line in both)


def test_json_and_yaml_are_those_of_the_api_server(user: User, here: Namespace) -> None:
    here.apply(policy())
    theirs = json.loads(here.kubectl("get", "bp", "shop", "-o", "json"))
    [mine] = user.holdfast("status", "-o", "json").document["items"]
    assert (mine["metadata"]["uid"], mine["spec"]) == (theirs["metadata"]["uid"], theirs["spec"])
    assert yaml.safe_load(user.holdfast("status", "shop", "-o", "yaml").out)["spec"] == theirs["spec"]


def test_where_nothing_is_it_says_so(user: User) -> None:
    assert f"No resources found in {user.namespace} namespace" in user.holdfast("runs").said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "nobody"), "There is no BackupPolicy"),
        (("backup", "nobody"), "There is no BackupPolicy"),
        (("hold", "nobody"), "There is no BackupRun"),
        (("logs", "nobody"), "There is no BackupRun or RestoreRun"),
        (("download", "nobody"), "There is no BackupRun"),
        (("drill", "shop"), "has no drill"),
        (("restore",), "One backup is wanted"),
        (("restore", "shop", "--run", "x"), "One backup is wanted"),
        (("restore", "shop", "--backup", "2026", "--before-drop", "users"), "or one moment"),
        (("restore", "--run", "x", "--point-in-time", "2026-11-23T01:59:59Z"), "or one moment"),
        (("restore", "shop", "--apply", "--existing", "drop"), "name the target database in confirm"),
        (("restore", "shop", "--rename", "a"), "OLD=NEW"),
    ],
)
def test_a_wrong_command_is_refused_in_words(user: User, here: Namespace, words: tuple[str, ...], said: str) -> None:
    here.apply(policy())
    done = user.ask(*words)
    assert (done.code, said in done.said) == (2, True), done
    assert here.kubectl("get", "br,rr", "-o", "name") == ""


# --- backups ---


def test_a_backup_that_is_waited_for_tells_its_end(shop: Shop, user: User) -> None:
    with shop.node():
        done = user.holdfast("backup", "shop", "--wait")
    assert re.fullmatch(r"backuprun\.holdfast\.dev/shop-\w+ Succeeded\n", done.out)
    assert "Succeeded" in done.said
    told = user.holdfast("status", "shop").out
    assert re.search(r"Ready: +True", told)
    name = done.out.partition("/")[2].split()[0]
    assert user.holdfast("runs", "shop", "-o", "name").out.split() == [f"backuprun.holdfast.dev/{name}"]
    assert user.holdfast("runs", "other", "-o", "name").out == ""


def test_a_backup_that_fails_ends_the_wait_with_its_code(shop: Shop, user: User) -> None:
    shop.here.kubectl("create", "secret", "generic", "wrong", "--from-literal=MONGODB_URI=mongodb://127.0.0.1:1/x")
    shop.here.apply(policy(source={"uriSecretRef": {"name": "wrong"}, "database": "x"}, job={"backoffLimit": 0}))
    with shop.node():
        done = user.ask("backup", "shop", "--wait")
    assert done.code == 1
    assert "Failed" in done.out


def test_a_wait_that_takes_too_long_says_that_the_run_goes_on(user: User, here: Namespace) -> None:
    here.apply(policy())
    done = user.ask("backup", "shop", "--wait", "--timeout", "1")
    assert done.code == 75
    assert "goes on all the same" in done.said


def test_runs_are_listed_newest_first(shop: Shop, user: User) -> None:
    shop.back_up("one")
    shop.back_up("two")
    listed = user.holdfast("runs", "-o", "name").out
    assert listed.index("/two") < listed.index("/one")


def test_a_backup_is_held_and_let_go(shop: Shop, user: User) -> None:
    shop.back_up()
    assert user.holdfast("hold", "by-hand").out == "backuprun.holdfast.dev/by-hand held\n"
    assert shop.here.get("br", "by-hand")["spec"]["hold"] is True
    shop.here.kubectl("annotate", "br/by-hand", "holdfast.dev/hold=why")
    user.holdfast("hold", "by-hand", "--release")
    body = shop.here.get("br", "by-hand")
    assert body["spec"]["hold"] is False
    assert "holdfast.dev/hold" not in body["metadata"].get("annotations", {})


def test_logs_are_those_of_the_pod_of_the_run(
    shop: Shop, user: User, control_plane: ControlPlane, tmp_path: Path
) -> None:
    shop.here.apply({"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun", "metadata": {"name": "by-hand"},
                     "spec": {"policyRef": {"name": "shop"}}})  # fmt: skip
    selector = "--selector=batch.kubernetes.io/job-name=by-hand"
    pod = shop.here.wait(
        lambda: shop.here.kubectl("get", "pods", selector, "-o", "jsonpath={.items[*].metadata.name}"), "it has a pod"
    )
    server = LogServer(control_plane, tmp_path, "Reading collection users.\n")
    server.start()
    try:
        server.take(shop.here.name, pod)
        for name in ("by-hand", "br/by-hand", "job/by-hand"):
            assert user.holdfast("logs", name).out == "Reading collection users.\n"
    finally:
        shop.here.kubectl("delete", "br/by-hand")
        shop.here.kubectl("delete", "pod", pod, "--force", "--ignore-not-found")
        server.stop()
    assert {path.partition("?")[0] for path in server.paths} == {f"/containerLogs/{shop.here.name}/{pod}/worker"}


def test_logs_that_are_gone_leave_what_the_status_says(shop: Shop, user: User) -> None:
    shop.back_up()
    shop.here.kubectl("delete", "job/by-hand", "--cascade=foreground")
    done = user.ask("logs", "by-hand")
    assert done.code == 1
    assert "The run says: Succeeded" in done.said


# --- restores ---


def test_a_plan_tells_each_collection_and_a_conflict(shop: Shop, user: User) -> None:
    shop.back_up()
    with shop.node():
        planned = user.holdfast("restore", "shop", "--existing", "drop", "--confirm", shop.database.name)
        refused = user.ask("restore", "shop", "--plan")
    assert re.search(r"^timeEntries +timeEntries +Replace +200 ", planned.out, re.MULTILINE)
    assert refused.code == 2
    assert "It would fail" in refused.said
    assert shop.is_clean()


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("--point-in-time", "2026-11-23T01:59:59Z"), {"pointInTime": "2026-11-23T01:59:59Z"}),
        (("--before-drop", "users"), {"before": {"namespace": "users", "operation": "drop"}}),
    ],
)
def test_a_moment_is_asked_for(user: User, here: Namespace, words: tuple[str, ...], source: dict[str, Any]) -> None:
    here.apply(policy())
    user.holdfast("restore", "shop", *words, "--no-wait")
    [run] = json.loads(here.kubectl("get", "rr", "-o", "json"))["items"]
    assert run["spec"]["source"] == {"policyRef": {"name": "shop"}, **source}


def test_a_restore_is_done_and_proven(shop: Shop, user: User) -> None:
    backup_id = shop.back_up()
    shop.damage()
    words = ("restore", "--run", "by-hand", "--apply", "--existing", "drop", "--confirm", shop.database.name)
    with shop.node():
        done = user.holdfast(*words, "-o", "json")
    status = done.document["status"]
    assert (status["phase"], status["backupId"], status["verification"]["result"]) == ("Succeeded", backup_id, "Equal")
    assert shop.is_clean()


# --- drills and downloads ---


def test_a_drill_is_made_now(shop: Shop, user: User, mongod: Mongod) -> None:
    shop.here.kubectl("create", "secret", "generic", "drill", f"--from-literal=MONGODB_URI={mongod.uri}")
    shop.here.apply(policy(job={"backoffLimit": 1}, verification=drill(SCRATCH)))
    shop.here.wait(lambda: shop.here.get("cronjob", "shop-drill"), "there is a CronJob of drills")
    shop.back_up()
    with shop.node():
        done = user.holdfast("drill", "shop", "--wait")
    assert re.match(r"job\.batch/shop-drill-\w+ Passed: ", done.out)
    owner = json.loads(shop.here.kubectl("get", "jobs", "-l", "holdfast.dev/drill", "-o", "json"))["items"][0]
    assert owner["metadata"]["ownerReferences"][0]["name"] == "shop-drill"


def test_a_backup_is_downloaded_by_who_may_read_its_secrets(shop: Shop, user: User) -> None:
    shop.back_up()
    user.holdfast("download", "by-hand", "--to", "all.json")
    document = json.loads((user.folder / "all.json").read_text())
    assert document["collections"]["users"]["count"] == shop.database["users"].count_documents({})
    shop.here.wait(lambda: shop.here.get("bp", "shop")["status"].get("lastSuccessfulRun"), "the policy knows it")
    user.holdfast("download", "bp/shop", "--format", "archive", "--to", "all.archive")
    assert (user.folder / "all.archive").stat().st_size > 1000
    assert not list(Path("/tmp").glob("holdfast-*/source"))  # noqa: S108


# --- rights ---


def test_who_may_not_is_told_so(shop: Shop, limited: User) -> None:
    shop.back_up()
    assert "shop" in limited.holdfast("status").out
    assert "created" in limited.holdfast("backup", "shop").out
    for words in (("restore", "shop"), ("hold", "by-hand"), ("download", "by-hand"), ("logs", "by-hand")):
        done = limited.ask(*words)
        assert done.code == 2, done
        assert "forbids" in done.said or "may not" in done.said
    assert limited.kubectl("holdfast", "status", "-A").code == 2
    refused = limited.ask("download", "by-hand").said
    assert f"You may not read Secret {shop.here.name}/shop" in refused
    assert "kubectl holdfast restore shop --backup" in refused


# --- the page ---


def test_each_command_of_the_pages_is_taken(
    shop: Shop, user: User, mongod: Mongod, control_plane: ControlPlane
) -> None:
    shop.here.kubectl("create", "secret", "generic", "drill", f"--from-literal=MONGODB_URI={mongod.uri}")
    # Else each backup of the day would take the place of the one before it.
    kept = {"keepLast": 20}
    shop.here.apply(policy(job={"backoffLimit": 1}, verification=drill(SCRATCH), retention=kept))
    shop.here.wait(lambda: shop.here.get("cronjob", "shop-drill"), "there is a CronJob of drills")
    other = f"{shop.database.name}_other"
    roles = [{"role": "readWrite", "db": other}, {"role": "dbAdmin", "db": other}]
    shop.database.client.admin.command("grantRolesToUser", f"user-{shop.database.name}", roles=roles)
    backup_id = shop.back_up()
    shop.restore("back")
    names = {"timetrack": "shop", "RUN": "by-hand", "BACKUP": backup_id, "DATABASE": shop.database.name,
             "OTHER": other, "bp/timetrack": "bp/shop", "rr/RESTORE": "rr/back"}  # fmt: skip
    pages = ("kubectl.md", "index.md", "runbooks.md")
    commands = [words for page in pages for _, *words in commands_of(page, "kubectl") if words[0] == "holdfast"]
    assert {words[1] for words in commands} == {str(one.name) for one in app.registered_commands}
    server = LogServer(control_plane, user.folder, "")
    server.start()
    try:
        for pod in json.loads(shop.here.kubectl("get", "pods", "-o", "json"))["items"]:
            server.take(shop.here.name, pod["metadata"]["name"])
        with shop.node():
            for _, command, *words in commands:
                user.holdfast(command, *(names.get(word, word) for word in words))
    finally:
        server.stop()
        shop.database.client.drop_database(other)


def test_the_page_says_of_each_command_what_it_needs() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", (DOCS / "kubectl.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {str(one.name) for one in app.registered_commands}
