"""Two teams in one cluster: who may do everything in one namespace reaches nothing of the other, by no reference."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.specs.names import JOB_LABEL, MANAGED_BY, POLICY_LABEL, RESTORE_ANNOTATION
from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop, open_shop, restore
from tests.integration.kube.test_operator import run_by_hand, wait_ready
from tests.integration.kube.test_resources import policy
from tests.support.control_plane import OPERATOR, ControlPlane
from tests.support.mongod import Mongod
from tests.support.operator_process import OperatorProcess

MINE, THEIRS = "team-a", "team-b"
KINDS = "backuppolicies,backupruns,restoreruns,cronjobs,jobs,pods,secrets,serviceaccounts,roles,rolebindings"
JEWELS = "crown-jewels"
"""A Secret of the other team."""
RUN = "by-hand"
"""A run of the other team, with a backup."""


class Mallory:
    """Somebody with the roles edit, …:backup and …:restore in one namespace, and with none in any other."""

    def __init__(self, here: Namespace) -> None:
        here.kubectl("create", "serviceaccount", "mallory")
        for role in ("edit", "default:holdfast:backup", "default:holdfast:restore"):
            name = f"--serviceaccount={here.name}:mallory"
            here.kubectl("create", "rolebinding", f"mallory-{role}".replace(":", "-"), f"--clusterrole={role}", name)
        self._here, self.user = here, f"--as=system:serviceaccount:{here.name}:mallory"

    def kubectl(self, *arguments: str, stdin: str | None = None, namespace: str = MINE) -> str:
        """What is answered, good or bad."""
        return self._here.kubectl(self.user, f"--namespace={namespace}", *arguments, stdin=stdin, check=False)

    def create(self, body: dict[str, Any], *more: str) -> str:
        return self.kubectl("create", *more, "-f", "-", stdin=json.dumps(body))


@pytest.fixture(scope="module")
def theirs(
    control_plane: ControlPlane,
    operator: OperatorProcess,
    mongod: Mongod,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shop]:
    """The other team: a policy, and a backup of real data."""
    control_plane.kubectl("create", "namespace", THEIRS)
    database = mongod.client["team_b"]
    here, folder = Namespace(control_plane, THEIRS), tmp_path_factory.mktemp("pods")
    with open_shop(here, operator, control_plane, mongod, database, folder) as shop:
        here.kubectl("create", "secret", "generic", JEWELS, f"--from-literal=MONGODB_URI={mongod.uri}")
        shop.back_up(RUN)
        here.wait(lambda: here.get("bp", "shop")["status"].get("lastSuccessfulRun"), "the policy shows it")
        here.kubectl("wait", f"job/{RUN}", "--for=condition=Complete", "--timeout=30s")
        yield shop
    mongod.client.drop_database(database.name)


@pytest.fixture(scope="module")
def mine(control_plane: ControlPlane, theirs: Shop) -> Namespace:
    del theirs
    control_plane.kubectl("create", "namespace", MINE)
    return Namespace(control_plane, MINE)


@pytest.fixture(scope="module")
def mallory(mine: Namespace) -> Mallory:
    return Mallory(mine)


@pytest.fixture(autouse=True)
def _nothing_of_the_others_is_touched(control_plane: ControlPlane, theirs: Shop, mine: Namespace) -> Iterator[None]:
    """Whatever is tried: no object of theirs changes, their data is as it was, and the operator reads no Secret of
    theirs but the one that their own policy names."""
    del mine

    def state() -> str:
        """All that there is, but for what an operator writes into statuses as time goes by."""
        fields = ("kind", "metadata.name", "metadata.uid", "metadata.generation", "data", "status.backupId")
        path = "{range .items[*]}" + " ".join(f"{{.{field}}}" for field in fields) + "{'\\n'}{end}"
        return theirs.here.kubectl("get", KINDS, f"--output=jsonpath={path}")

    before = state()
    yield
    assert state() == before
    asked = [one for one in control_plane.asked(OPERATOR) if one.resource == "secrets" and one.namespace == THEIRS]
    assert {one.name for one in asked} == {"shop"}
    assert theirs.is_clean()


def message_of(here: Namespace, kind: str, name: str, phase: str = "Failed") -> tuple[str, str]:
    """Why a run has failed."""
    status = here.wait_for_status(kind, name, phase=phase, seconds=60)
    return status["reason"], status["message"]


@pytest.mark.parametrize("kind", KINDS.split(","))
def test_nothing_of_theirs_can_be_looked_at(mallory: Mallory, kind: str) -> None:
    assert "forbidden" in mallory.kubectl("get", kind, namespace=THEIRS)


@pytest.mark.parametrize("kind", ["backuppolicy/shop", f"backuprun/{RUN}", "secret/shop", "cronjob/shop"])
def test_nothing_of_theirs_can_be_changed(mallory: Mallory, kind: str) -> None:
    for verb in (("delete",), ("patch", '--patch={"metadata":{"labels":{"a":"b"}}}')):
        assert "forbidden" in mallory.kubectl(verb[0], kind, *verb[1:], namespace=THEIRS)


@pytest.mark.parametrize("body", [policy(), restore("stolen")])
def test_nothing_can_be_made_at_theirs(mallory: Mallory, body: dict[str, Any]) -> None:
    answer = mallory.kubectl("create", "-f", "-", stdin=json.dumps(body), namespace=THEIRS)
    assert "forbidden" in answer


@pytest.mark.parametrize(
    "body",
    [
        policy(source={"uriSecretRef": {"name": JEWELS, "namespace": THEIRS}}),
        policy(encryption={"keySecretRef": {"name": JEWELS, "namespace": THEIRS}}),
        policy(storage={"volume": {"claimName": "data", "namespace": THEIRS}}),
        restore(source={"policyRef": {"name": "shop", "namespace": THEIRS}, "latest": True}),
        restore(source={"backupRunRef": {"name": RUN, "namespace": THEIRS}}),
        restore(target={"uriSecretRef": {"name": JEWELS, "namespace": THEIRS}}),
    ],
)
def test_no_reference_names_a_namespace(mallory: Mallory, body: dict[str, Any]) -> None:
    assert 'unknown field "spec.' in mallory.create(body, "--validate=strict", "--dry-run=server")
    # Without the validation the field is dropped, not stored.
    stored = mallory.create(body, "--validate=ignore", "--dry-run=server", "--output=json")
    assert THEIRS not in json.dumps(json.loads(stored)["spec"])


@pytest.mark.parametrize("name", [f"{THEIRS}/{JEWELS}", f"../../{THEIRS}/secrets/{JEWELS}", f"{THEIRS}%2F{JEWELS}"])
def test_no_name_leads_out_of_the_namespace(mallory: Mallory, mine: Namespace, name: str) -> None:
    """What the schema lets through ends in words about the own namespace."""
    body = policy("outward", source={"uriSecretRef": {"name": name}})
    answer = mallory.create(body)
    if "created" in answer:
        assert wait_ready(mine, "SecretMissing", "outward")["message"].startswith(f"There is no Secret {MINE}/")
        mine.kubectl("delete", "bp/outward")
    else:
        assert "spec.source.uriSecretRef.name" in answer


def test_a_secret_of_theirs_is_not_found_by_its_name(mallory: Mallory, mine: Namespace) -> None:
    mallory.create(policy("secret", source={"uriSecretRef": {"name": JEWELS}}))
    assert f"There is no Secret {MINE}/{JEWELS}" in wait_ready(mine, "SecretMissing", "secret")["message"]


def test_a_claim_is_one_of_the_own_namespace(mallory: Mallory, mine: Namespace) -> None:
    mallory.create(policy("claim", storage={"volume": {"claimName": "data"}}))
    wait_ready(mine, "SecretMissing", "claim")
    mallory.kubectl("create", "secret", "generic", "shop", "--from-literal=MONGODB_URI=mongodb://db.invalid/x")
    assert f"{MINE}/data" in wait_ready(mine, "VolumeMissing", "claim")["message"]
    mallory.kubectl("delete", "secret/shop")


def test_a_run_finds_no_policy_of_theirs(mallory: Mallory, mine: Namespace) -> None:
    spec = {"policyRef": {"name": "shop"}}
    meta = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun", "metadata": {"name": "foreign"}}
    mallory.create({**meta, "spec": spec})
    reason, message = message_of(mine, "br", "foreign")
    assert (reason, f"{MINE}/shop" in message) == ("PolicyNotFound", True)


def test_a_restore_finds_no_run_of_theirs(mallory: Mallory, mine: Namespace) -> None:
    mallory.create(restore("by-run", source={"backupRunRef": {"name": RUN}}))
    mallory.create(restore("by-policy"))
    for name in ("by-run", "by-policy"):
        _, message = message_of(mine, "rr", name)
        assert THEIRS not in message
        assert MINE in message


def test_labels_owners_and_annotations_that_pretend_change_nothing(
    mallory: Mallory, mine: Namespace, theirs: Shop
) -> None:
    owner = theirs.here.get("bp", "shop")["metadata"]
    run = theirs.here.get("br", RUN)["metadata"]
    labels = {POLICY_LABEL: "shop", MANAGED_BY: "holdfast", JOB_LABEL: RUN}
    reference = {"apiVersion": "holdfast.dev/v1alpha1", "controller": True}
    owners = [
        {**reference, "kind": "BackupPolicy", "name": "shop", "uid": owner["uid"]},
        {**reference, "kind": "BackupRun", "name": RUN, "uid": run["uid"]},
    ]
    template = {
        "metadata": {"labels": labels, "annotations": {RESTORE_ANNOTATION: "back"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "worker", "image": "x"}]},
    }
    for number, one in enumerate(owners):
        metadata = {"name": f"pretends-{number}", "labels": labels, "ownerReferences": [one]}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}
        assert "created" in mallory.create(job)
        body = {"apiVersion": "holdfast.dev/v1alpha1", "kind": "BackupRun", "metadata": metadata}
        assert "created" in mallory.create({**body, "spec": {"policyRef": {"name": "shop"}}})
    # Nobody owns across namespaces: Kubernetes removes what says so.
    mine.wait(lambda: "pretends" not in mine.kubectl("get", "jobs,backupruns", "--output=name"), "all is gone", 90)


def test_their_worker_is_nobody_here(mallory: Mallory) -> None:
    assert "forbidden" in mallory.kubectl("create", "token", "holdfast-shop", namespace=THEIRS)
    spec = {"serviceAccountName": "holdfast-shop", "containers": [{"name": "a", "image": "x"}]}
    answer = mallory.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "thief"}, "spec": spec})
    assert 'serviceaccount "holdfast-shop" not found' in answer


def test_the_own_worker_reaches_nothing_else(mallory: Mallory, mine: Namespace) -> None:
    """Who may make pods may be the worker of the own namespace; that is worth nothing elsewhere, and little here."""
    mallory.create(policy("own"))
    mine.wait(lambda: mine.get("serviceaccount", "holdfast-own"), "it has a worker")
    worker = f"--as=system:serviceaccount:{MINE}:holdfast-own"
    for namespace, kind in ((THEIRS, "backuppolicies"), (THEIRS, "backupruns"), (MINE, "secrets"), (MINE, "pods")):
        assert "forbidden" in mine.kubectl(worker, f"--namespace={namespace}", "get", kind, check=False)
    assert "forbidden" in mine.kubectl(worker, "get", "bp/secret", check=False), "another policy of the namespace"
    assert "forbidden" in mine.kubectl(worker, "create", "-f", "-", stdin=json.dumps(restore("by-worker")), check=False)


def test_nobody_writes_a_status_by_hand(mallory: Mallory, mine: Namespace) -> None:
    run_by_hand(mine, "mine")
    patch = f'--patch={{"status":{{"backupId":"{"2" * 8}","phase":"Succeeded"}}}}'
    answer = mallory.kubectl("patch", "br/mine", "--subresource=status", "--type=merge", patch)
    assert "forbidden" in answer
