"""The cluster as it was last seen: what it answers itself, what it asks for, and that it is never wrong for long."""

from collections import Counter
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest

from holdfast.errors import ClusterUnavailable, HoldfastError
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, CRON_JOB, JOB, POD, SECRET, Kind, KubeObject
from holdfast.services.know_objects import MADE, OURS, KnownObjects
from holdfast.services.reconcile_policy import reconcile_policy
from holdfast.specs.names import MANAGED, POLICY_LABEL, policy_labels
from tests.support.cluster_contract import ClusterContract
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import IMAGE, NAMESPACE, policy_body, run_body, secret_body

SHOP = {POLICY_LABEL: "shop"}


class Bench:
    """What is known of a cluster, which counts what it is asked for."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.asked: Counter[str] = Counter()
        self.seconds = 0.0
        self.known = KnownObjects(self.cluster, lambda: self.seconds)
        self.cluster.failing = self._count

    def _count(self, verb: str, kind: Kind, _name: str) -> HoldfastError | None:
        self.asked[f"{verb} {kind.name}"] += 1
        return None

    def survey(self) -> None:
        learn(self.known)
        self.asked.clear()

    def run(self, name: str = "a") -> KubeObject:
        body = run_body(name)
        body["metadata"]["labels"] = policy_labels("shop")
        return self.cluster.put(BACKUP_RUN, body)

    def cron_job(self, **labels: str) -> KubeObject:
        body = {"metadata": {"name": "shop", "namespace": NAMESPACE, "labels": labels}, "spec": {}}
        return self.cluster.put(CRON_JOB, body)

    def names(self) -> list[str]:
        return [body["metadata"]["name"] for body in self.known.list(BACKUP_RUN, NAMESPACE, SHOP)]


def learn(known: KnownObjects) -> None:
    for kind in OURS:
        list(known.each(kind))
    for kind in MADE:
        list(known.each(kind, None, MANAGED))


@pytest.fixture
def bench() -> Bench:
    return Bench()


class TestWhatIsKnownKeepsTheContract(ClusterContract):
    @pytest.fixture
    def cluster(self) -> KnownObjects:
        known = KnownObjects(FakeCluster(), lambda: 0.0)
        learn(known)
        return known

    @pytest.fixture
    def namespace(self) -> str:
        return NAMESPACE


def test_before_the_first_survey_everything_is_asked_for(bench: Bench) -> None:
    bench.known.note(BACKUP_RUN, bench.run())
    bench.asked.clear()
    bench.known.get(BACKUP_RUN, NAMESPACE, "a")
    bench.names()
    assert bench.asked == {"get BackupRun": 1, "list BackupRun": 1}


def test_what_is_known_is_not_asked_for(bench: Bench) -> None:
    run, cron_job = bench.run(), bench.cron_job(**policy_labels("shop"))
    bench.survey()
    assert bench.known.get(BACKUP_RUN, NAMESPACE, "a") == run
    assert bench.known.list(BACKUP_RUN, NAMESPACE) == [run]
    assert bench.names() == ["a"]
    assert bench.known.get(CRON_JOB, NAMESPACE, "shop") == cron_job
    assert bench.known.list(CRON_JOB, NAMESPACE, SHOP) == [cron_job]
    assert not bench.known.list(JOB, NAMESPACE, SHOP)
    assert not bench.known.list(BACKUP_RUN, NAMESPACE, {POLICY_LABEL: "crm"})
    assert not bench.asked


def test_a_look_at_a_policy_at_rest_asks_for_its_secret_alone(bench: Bench) -> None:
    bench.cluster.put(SECRET, secret_body())
    bench.cluster.put(BACKUP_POLICY, policy_body())
    bench.cluster.patch_status(BACKUP_RUN, bench.run(), {"phase": "Succeeded", "backupId": "b"})
    clock = FakeClock()
    for _ in range(2):
        reconcile_policy(bench.known, NAMESPACE, "shop", image=IMAGE, clock=clock)
    bench.survey()
    bench.seconds = 60.0
    reconcile_policy(bench.known, NAMESPACE, "shop", image=IMAGE, clock=clock)
    assert set(bench.asked) == {"get Secret"}


def test_what_is_not_known_is_asked_for(bench: Bench) -> None:
    bench.survey()
    bench.run()
    assert bench.known.get(BACKUP_RUN, NAMESPACE, "a")
    assert bench.names() == ["a"]


def test_what_belongs_to_no_policy_is_asked_for(bench: Bench) -> None:
    bench.cron_job(**MANAGED)
    bench.survey()
    assert bench.known.get(CRON_JOB, NAMESPACE, "shop")
    assert bench.known.list(CRON_JOB, NAMESPACE)
    assert bench.asked == {"get CronJob": 1, "list CronJob": 1}


def test_kinds_that_are_not_followed_are_asked_for(bench: Bench) -> None:
    bench.survey()
    bench.known.list(POD, NAMESPACE, SHOP)
    assert bench.asked == {"list Pod": 1}


def test_events_and_our_own_writes_are_known_at_once(bench: Bench) -> None:
    run = bench.run()
    bench.survey()
    told = bench.cluster.patch_status(BACKUP_RUN, run, {"phase": "Running"})
    assert told is not None
    bench.known.note(BACKUP_RUN, told)
    assert bench.known.get(BACKUP_RUN, NAMESPACE, "a") == told
    written = bench.known.patch_status(BACKUP_RUN, told, {"phase": "Succeeded"})
    assert bench.known.get(BACKUP_RUN, NAMESPACE, "a") == written
    bench.known.create(BACKUP_RUN, {**run_body("b"), "metadata": {**run["metadata"], "name": "b"}})
    assert bench.names() == ["a", "b"]


def test_what_comes_late_does_not_hide_what_is_newer(bench: Bench) -> None:
    run = bench.run()
    bench.survey()
    written = bench.known.patch_status(BACKUP_RUN, run, {"phase": "Running"})
    bench.known.note(BACKUP_RUN, run)
    assert bench.known.get(BACKUP_RUN, NAMESPACE, "a") == written


def test_who_was_refused_a_write_knows_better_afterwards(bench: Bench) -> None:
    run = bench.run()
    bench.survey()
    changed = bench.cluster.patch_status(BACKUP_RUN, run, {"phase": "Running"})
    known = bench.known.get(BACKUP_RUN, NAMESPACE, "a")
    assert known == run
    assert bench.known.patch_status(BACKUP_RUN, known, {"phase": "Failed"}) is None
    assert bench.known.get(BACKUP_RUN, NAMESPACE, "a") == changed


def test_what_is_gone_is_not_known_any_more(bench: Bench) -> None:
    first, second, third = bench.run("a"), bench.run("b"), bench.run("c")
    bench.survey()
    bench.cluster.delete(BACKUP_RUN, first)
    bench.known.forget(BACKUP_RUN, first)
    assert bench.names() == ["b", "c"]
    bench.known.delete(BACKUP_RUN, second)
    assert bench.names() == ["c"]
    bench.cluster.delete(BACKUP_RUN, third)  # nobody tells of it
    bench.survey()
    assert bench.names() == []


def test_a_successor_is_not_forgotten_with_its_predecessor(bench: Bench) -> None:
    first = bench.run()
    bench.survey()
    bench.cluster.delete(BACKUP_RUN, first)
    second = bench.run()
    bench.known.note(BACKUP_RUN, second)
    bench.known.forget(BACKUP_RUN, first)
    assert bench.known.get(BACKUP_RUN, NAMESPACE, "a") == second


def test_a_survey_of_one_namespace_says_nothing_of_others(bench: Bench) -> None:
    bench.run()
    list(bench.known.each(BACKUP_RUN, NAMESPACE))
    bench.asked.clear()
    bench.known.list(BACKUP_RUN, "elsewhere")
    assert bench.asked == {"list BackupRun": 1}
    list(bench.known.each(BACKUP_RUN, "elsewhere"))
    assert bench.names() == ["a"]


def test_a_survey_that_breaks_off_takes_nothing_away(bench: Bench) -> None:
    bench.run()
    bench.survey()
    bench.cluster.failing = lambda *_: ClusterUnavailable("away")
    with pytest.raises(ClusterUnavailable):
        list(bench.known.each(BACKUP_RUN))
    assert bench.names() == ["a"]


class Slow(FakeCluster):
    """Lists what there was when it began, and waits half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.half_way, self.go_on = Event(), Event()

    def each(self, *arguments: Any) -> Iterator[KubeObject]:
        bodies = list(super().each(*arguments))
        self.half_way.set()
        self.go_on.wait(10)
        yield from bodies


def test_what_changes_while_a_list_is_under_way_is_not_undone_by_it() -> None:
    bench = Bench()
    bench.cluster = slow = Slow()
    bench.known = known = KnownObjects(slow, lambda: 0.0)
    changed, removed = bench.run("changed"), bench.run("removed")
    slow.go_on.set()
    learn(known)
    slow.half_way.clear()
    slow.go_on.clear()
    survey = Thread(target=lambda: list(known.each(BACKUP_RUN)))
    survey.start()
    assert slow.half_way.wait(10)
    newest = known.patch_status(BACKUP_RUN, changed, {"phase": "Running"})
    slow.delete(BACKUP_RUN, removed)
    known.forget(BACKUP_RUN, removed)
    known.note(BACKUP_RUN, bench.run("new"))
    slow.go_on.set()
    survey.join()
    assert bench.names() == ["changed", "new"]
    assert known.get(BACKUP_RUN, NAMESPACE, "changed") == newest


def test_what_is_handed_out_can_be_changed_without_harm(bench: Bench) -> None:
    bench.run()
    bench.survey()
    body = bench.known.get(BACKUP_RUN, NAMESPACE, "a")
    assert body is not None
    body["metadata"]["labels"].clear()
    assert bench.names() == ["a"]


def test_a_secret_is_asked_for_once_in_a_while(bench: Bench) -> None:
    bench.cluster.put(SECRET, secret_body())
    bench.survey()
    for _ in range(3):
        assert bench.known.get(SECRET, NAMESPACE, "shop")
    assert bench.asked == {"get Secret": 1}
    bench.seconds = 10
    bench.known.get(SECRET, NAMESPACE, "shop")
    assert bench.asked == {"get Secret": 2}


def test_a_secret_that_is_not_there_is_asked_for_each_time(bench: Bench) -> None:
    assert bench.known.get(SECRET, NAMESPACE, "shop") is None
    bench.cluster.put(SECRET, secret_body())
    assert bench.known.get(SECRET, NAMESPACE, "shop")


def test_a_policy_is_known_by_its_namespace_too(bench: Bench) -> None:
    bench.cluster.put(BACKUP_POLICY, policy_body(namespace="elsewhere"))
    bench.survey()
    assert bench.known.get(BACKUP_POLICY, NAMESPACE, "shop") is None
    assert bench.known.get(BACKUP_POLICY, "elsewhere", "shop")
