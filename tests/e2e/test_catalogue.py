"""All that was in the cluster is lost; the repository is not."""

import json

from tests.e2e.site import Site
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.kubectl import Kubectl


def test_after_the_loss_of_a_namespace_its_runs_come_back_and_latest_restores(site: Site, kubectl: Kubectl) -> None:
    site.fill()
    uri = site.uri(*({"role": role, "db": site.database} for role in ("readWrite", "dbAdmin")))
    site.secret(uri)
    site.policy(retention={"keepLast": 5})
    site.kubectl.wait("backuppolicy/timetrack", "condition=Ready")
    clean = snapshot_of(site.mongod.client[site.database], skip=OWN_COLLECTIONS)
    taken = [site.back_up(), site.back_up()]

    kubectl("delete", "namespace", site.namespace, "--timeout=120s")
    site.mongod.client[site.database]["feedback"].drop()
    kubectl("create", "namespace", site.namespace)
    kubectl("label", "namespace", site.namespace, "pod-security.kubernetes.io/enforce=restricted")
    site.secret(uri)
    site.policy(retention={"keepLast": 5})
    for backup in taken:
        name = f"imported-{backup['backupId'].lower()}"
        status = site.ended(name)
        assert (status["reason"], status["documents"]) == ("Imported", backup["documents"])
    site.kubectl.wait("backuppolicy/timetrack", "jsonpath={.status.catalogue.imported}=2")
    runs = json.loads(site.kubectl("get", "backupruns", "--output=json"))["items"]
    assert len(runs) == 2

    status = site.restore("back", mode="Apply", existing="Drop", confirm=site.database)
    assert status["backupId"] == taken[-1]["backupId"]
    assert differences(clean, snapshot_of(site.mongod.client[site.database], skip=OWN_COLLECTIONS)) == []
