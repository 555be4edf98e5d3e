"""What somebody is shown: where they may look, in order, and no more of it made than is shown."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from holdfast.errors import ClusterUnavailable, NotAuthorized, PolicyNotFound
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, Change, Kind, KubeObject, Viewer
from holdfast.services.look_up import LookUp
from tests.support.kube_objects import policy_body

ANN = Viewer("ann")


class Memory:
    """A mirror of what a test puts into it."""

    def __init__(self) -> None:
        self.ready = True
        self.held: dict[Kind, list[KubeObject]] = {}

    def complete(self) -> bool:
        return self.ready

    def current(self) -> bool:
        return self.ready

    def objects(self, kind: Kind, namespace: str | None = None) -> Sequence[KubeObject]:
        return [body for body in self.held.get(kind, []) if namespace in (None, body["metadata"]["namespace"])]

    def listen(self, listener: Callable[[Change], None]) -> None:
        raise AssertionError(listener)

    def attend(self, listener: Callable[[], None]) -> None:
        raise AssertionError(listener)


class Rights:
    """A reviewer who lets somebody into these namespaces; None stands for all of them."""

    def __init__(self, *places: str | None) -> None:
        self.places = places
        self.asked = 0

    def identify(self, token: str) -> Viewer | None:
        raise AssertionError(token)

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        del viewer, verb, kind
        self.asked += 1
        return namespace in self.places


def run(name: str, minute: int, namespace: str = "shop", policy: str = "shop", **status: Any) -> KubeObject:
    made = f"2026-03-01T12:{minute:02}:00Z"
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": made}
    return {"metadata": metadata, "spec": {"policyRef": {"name": policy}}, "status": status}


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.held[BACKUP_POLICY] = [policy_body("b", namespace="shop"), policy_body("a", namespace="bank")]
    memory.held[BACKUP_RUN] = [
        run("old", 1, phase="Failed"),
        run("new", 3, phase="Succeeded"),
        run("twin", 3, phase="Succeeded"),
        run("other", 2, policy="other"),
        run("far", 5, namespace="bank"),
    ]
    return memory


def test_runs_come_newest_first_and_twins_by_name(memory: Memory) -> None:
    found = LookUp(memory, Rights("shop")).runs(ANN).models()
    assert [one.metadata.name for one in found] == ["new", "twin", "other", "old"]


def test_filters_meet(memory: Memory) -> None:
    found = LookUp(memory, Rights(None)).runs(ANN, policy="shop", phase="Succeeded").models()
    assert [one.metadata.name for one in found] == ["new", "twin"]


def test_who_may_look_everywhere_is_asked_about_once(memory: Memory) -> None:
    rights = Rights(None)
    assert len(LookUp(memory, rights).policies(ANN).places) == 2
    assert rights.asked == 1


def test_who_may_look_nowhere_is_told_so(memory: Memory) -> None:
    with pytest.raises(NotAuthorized, match="ann may not list backupruns"):
        LookUp(memory, Rights()).runs(ANN)


def test_one_policy_needs_no_name_and_two_do(memory: Memory) -> None:
    assert LookUp(memory, Rights("shop")).policy(ANN, None, None).metadata.name == "b"
    with pytest.raises(PolicyNotFound, match="2 BackupPolicies answer"):
        LookUp(memory, Rights(None)).policy(ANN, None, None)


def test_a_policy_elsewhere_is_like_none(memory: Memory) -> None:
    with pytest.raises(PolicyNotFound, match="no BackupPolicy a that you may see"):
        LookUp(memory, Rights("shop")).policy(ANN, None, "a")


def test_before_the_cluster_is_read_nothing_is_called_empty(memory: Memory) -> None:
    memory.ready = False
    with pytest.raises(ClusterUnavailable, match="still being read"):
        LookUp(memory, Rights(None)).policies(ANN)


def test_one_that_is_not_understood_hides_no_other(memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    memory.held[BACKUP_RUN].append(run("strange", 9, documents="many"))
    found = LookUp(memory, Rights("shop")).runs(ANN).models()
    assert [one.metadata.name for one in found] == ["new", "twin", "other", "old"]
    assert "shop/strange is not understood at ('status', 'documents')" in caplog.text


def test_only_what_is_shown_is_made(memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    memory.held[BACKUP_RUN].append(run("strange", 0, documents="many"))
    assert len(LookUp(memory, Rights("shop")).runs(ANN).models(slice(2))) == 2
    assert not caplog.text
