"""What every implementation of the Cluster port does, real or fake."""

import pytest

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, ROLE, Cluster, KubeObject
from tests.support.schedules import NOT_NOW


def policy(namespace: str, name: str = "shop") -> KubeObject:
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "source": {"uriSecretRef": {"name": "shop", "key": "MONGODB_URI"}},
            "schedule": {"cron": NOT_NOW, "timeZone": "Etc/UTC"},
            "storage": {"mongodb": {}},
        },
    }


def role(namespace: str, verbs: list[str]) -> KubeObject:
    return {
        "metadata": {"name": "worker", "namespace": namespace, "labels": {"team": "a"}},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}],
    }


class ClusterContract:
    """A test class of an implementation inherits this, and has fixtures ``cluster`` and ``namespace``."""

    @pytest.fixture
    def made(self, cluster: Cluster, namespace: str) -> KubeObject:
        body = cluster.create(BACKUP_POLICY, policy(namespace))
        assert body is not None
        return body

    def test_what_is_not_there_is_none(self, cluster: Cluster, namespace: str) -> None:
        assert cluster.get(BACKUP_POLICY, namespace, "nobody") is None

    def test_a_new_object_has_an_identity_and_waits_to_be_observed(self, made: KubeObject) -> None:
        assert made["metadata"]["uid"]
        assert made["metadata"]["resourceVersion"]
        assert made["metadata"]["generation"] == 1
        assert made["status"] == {"observedGeneration": -1}

    def test_an_object_is_created_once(self, cluster: Cluster, namespace: str, made: KubeObject) -> None:
        assert cluster.create(BACKUP_POLICY, policy(namespace)) is None
        found = cluster.get(BACKUP_POLICY, namespace, "shop")
        assert found is not None
        assert found["metadata"]["uid"] == made["metadata"]["uid"]

    def test_a_status_is_written_and_the_spec_is_not(self, cluster: Cluster, namespace: str, made: KubeObject) -> None:
        written = cluster.patch_status(
            BACKUP_POLICY, made, {"observedGeneration": 1, "lastRun": {"name": "a", "phase": "x"}}
        )
        assert written is not None
        assert written["status"] == {"observedGeneration": 1, "lastRun": {"name": "a", "phase": "x"}}
        assert written["metadata"]["generation"] == 1
        assert cluster.get(BACKUP_POLICY, namespace, "shop") == written

    def test_null_removes_a_field_of_a_status(self, cluster: Cluster, made: KubeObject) -> None:
        first = cluster.patch_status(BACKUP_POLICY, made, {"nextScheduleTime": "2026-01-01T00:00:00Z"})
        assert first is not None
        second = cluster.patch_status(BACKUP_POLICY, first, {"nextScheduleTime": None})
        assert second is not None
        assert "nextScheduleTime" not in second["status"]

    def test_who_read_an_older_version_does_not_overwrite_a_newer_one(self, cluster: Cluster, made: KubeObject) -> None:
        assert cluster.patch_status(BACKUP_POLICY, made, {"observedGeneration": 1}) is not None
        assert cluster.patch_status(BACKUP_POLICY, made, {"observedGeneration": 2}) is None

    def test_a_patch_of_what_is_gone_is_none(self, cluster: Cluster, made: KubeObject) -> None:
        assert cluster.delete(BACKUP_POLICY, made)
        assert cluster.patch_status(BACKUP_POLICY, made, {"observedGeneration": 1}) is None

    def test_a_patch_changes_labels(self, cluster: Cluster, made: KubeObject) -> None:
        patched = cluster.patch(BACKUP_POLICY, made, {"metadata": {"labels": {"a": "b"}}})
        assert patched is not None
        assert patched["metadata"]["labels"] == {"a": "b"}

    def test_an_object_is_deleted_once(self, cluster: Cluster, namespace: str, made: KubeObject) -> None:
        assert cluster.delete(BACKUP_POLICY, made)
        assert cluster.get(BACKUP_POLICY, namespace, "shop") is None
        assert not cluster.delete(BACKUP_POLICY, made)

    def test_an_object_with_a_finalizer_goes_with_the_last_one(
        self, cluster: Cluster, namespace: str, made: KubeObject
    ) -> None:
        held = cluster.patch(BACKUP_POLICY, made, {"metadata": {"finalizers": ["example.org/audit"]}})
        assert held is not None
        assert cluster.delete(BACKUP_POLICY, held)
        going = cluster.get(BACKUP_POLICY, namespace, "shop")
        assert going is not None
        assert going["metadata"]["deletionTimestamp"]
        assert cluster.patch(BACKUP_POLICY, going, {"metadata": {"finalizers": []}}) is not None
        assert cluster.get(BACKUP_POLICY, namespace, "shop") is None

    def test_a_successor_of_the_same_name_is_not_deleted(
        self, cluster: Cluster, namespace: str, made: KubeObject
    ) -> None:
        assert cluster.delete(BACKUP_POLICY, made)
        successor = cluster.create(BACKUP_POLICY, policy(namespace))
        assert successor is not None
        assert not cluster.delete(BACKUP_POLICY, made)
        assert cluster.get(BACKUP_POLICY, namespace, "shop") == successor

    def test_apply_creates_then_changes_then_leaves_alone(self, cluster: Cluster, namespace: str) -> None:
        first = cluster.apply(ROLE, role(namespace, ["get"]))
        second = cluster.apply(ROLE, role(namespace, ["get", "list"]))
        third = cluster.apply(ROLE, role(namespace, ["get", "list"]))
        assert first["rules"][0]["verbs"] == ["get"]
        assert second["rules"][0]["verbs"] == ["get", "list"]
        assert third["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]

    def test_a_list_takes_namespace_and_labels(self, cluster: Cluster, namespace: str) -> None:
        cluster.apply(ROLE, role(namespace, ["get"]))
        names = [body["metadata"]["name"] for body in cluster.list(ROLE, namespace, {"team": "a"})]
        assert names == ["worker"]
        assert not cluster.list(ROLE, namespace, {"team": "b"})
        assert any(body["metadata"]["namespace"] == namespace for body in cluster.list(ROLE, None, {"team": "a"}))

    def test_each_of_a_kind_comes_once_in_a_cluster_at_rest(self, cluster: Cluster, namespace: str) -> None:
        names = [f"policy-{number:03}" for number in range(120)]
        for name in names:
            cluster.create(BACKUP_POLICY, policy(namespace, name))
        assert sorted(body["metadata"]["name"] for body in cluster.each(BACKUP_POLICY, namespace)) == names
        everywhere = [body for body in cluster.each(BACKUP_POLICY) if body["metadata"]["namespace"] == namespace]
        assert len(everywhere) == len(names)

    def test_each_takes_labels_too(self, cluster: Cluster, namespace: str) -> None:
        cluster.apply(ROLE, role(namespace, ["get"]))
        assert [body["metadata"]["name"] for body in cluster.each(ROLE, namespace, {"team": "a"})] == ["worker"]
        assert not list(cluster.each(ROLE, namespace, {"team": "b"}))

    def test_no_events_is_an_empty_list(self, cluster: Cluster, made: KubeObject) -> None:
        assert not cluster.events(made, "FailedCreate")

    def test_an_event_is_recorded_without_an_answer(self, cluster: Cluster, made: KubeObject) -> None:
        cluster.record(made, BACKUP_POLICY, "Warning", "SecretMissing", "There is no Secret.")

    def test_nothing_is_listed_where_nothing_is(self, cluster: Cluster, namespace: str) -> None:
        assert not cluster.list(BACKUP_RUN, namespace)
        assert not cluster.list(JOB, namespace)
