"""Two operators at one Lease: one works, and the other takes over whatever becomes of the first."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kube.conftest import ROOT, Namespace
from tests.integration.kube.test_operator import URI, pod_of, run_by_hand, wait_ready
from tests.integration.kube.test_resources import policy
from tests.support.control_plane import ControlPlane
from tests.support.operator_process import OperatorProcess
from tests.support.ports import free_ports

SECONDS = 30
"""Within which another has taken over, by the word of the documents."""


class Replica:
    """One operator, with an account of its own so that the API server can tell who asked for what."""

    def __init__(self, here: Namespace, plane: ControlPlane, folder: Path, name: str) -> None:
        self.name, self._here, self._plane = name, here, plane
        self.account = f"system:serviceaccount:{here.name}:{name}"
        here.kubectl("create", "serviceaccount", name)
        # The rights that the chart gives its one account.
        subject = f"--serviceaccount={here.name}:{name}"
        plane.kubectl("create", "clusterrolebinding", f"{here.name}-{name}", "--clusterrole=default:holdfast", subject)
        here.kubectl("create", "rolebinding", name, "--role=holdfast", subject)
        kubeconfig = folder / f"{name}.kubeconfig"
        plane.write_kubeconfig(kubeconfig, here.kubectl("create", "token", name, "--duration=1h").strip())
        (port,) = free_ports(1)
        self.process = OperatorProcess(
            kubeconfig, folder / f"{name}.log", port=port, lease="holdfast", namespace=here.name, identity=name
        )

    def start(self) -> None:
        self.process.start()
        self._here.wait(self.process.healthy, f"operator {self.name} answers")

    def said(self, words: str) -> int:
        return self.process.log.read_text().count(words)

    def written(self) -> list[str]:
        """The kinds that it has changed something of, or tried to, one after the other."""
        return [one.resource for one in self._plane.asked(self.account) if one.writes]


class Pair:
    """Two operators and a namespace with a policy. They are killed, frozen and brought back; one of them leads."""

    def __init__(self, here: Namespace, plane: ControlPlane, folder: Path) -> None:
        self.here = here
        chart = ROOT / "charts" / "holdfast"
        here.kubectl("apply", "-f", "-", stdin=plane.render(chart, "templates/lease.yaml", namespace=here.name))
        here.kubectl("create", "secret", "generic", "shop", f"--from-literal=MONGODB_URI={URI}")
        here.apply(policy())
        self.replicas = [Replica(here, plane, folder, name) for name in ("one", "two")]

    @property
    def lease(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.here.get("lease", "holdfast").get("spec", {})
        return spec

    def sides(self) -> tuple[Replica, Replica]:
        """Who leads, and who stands by. Whoever does not run is started."""
        for replica in self.replicas:
            if not replica.process.healthy():
                replica.start()
        names = [replica.name for replica in self.replicas]
        name = self.here.wait(lambda: (holder := self.lease.get("holderIdentity")) in names and holder, "one leads")
        first, second = sorted(self.replicas, key=lambda replica: replica.name != name)
        self.here.wait(lambda: second.said(f"Standing by: {first.name} leads."), "the other stands by")
        return first, second

    def leads(self, replica: Replica) -> bool:
        return bool(self.lease["holderIdentity"] == replica.name)

    def change(self, cron: str) -> Callable[[], bool]:
        """Change the policy; whether an operator has seen to it."""
        patch = json.dumps({"spec": {"schedule": {"cron": cron}}})
        self.here.kubectl("patch", "bp/shop", "--type=merge", f"--patch={patch}")
        return lambda: bool(self.here.get("cronjob", "shop")["spec"]["schedule"] == cron)

    def in_time(self, what: Callable[[], Any], words: str) -> float:
        """Wait for it, no longer than a change of the leader may take; how many seconds it took."""
        begin = time.monotonic()
        self.here.wait(what, words, SECONDS)
        return time.monotonic() - begin


@pytest.fixture(scope="module")
def pair(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    control_plane.kubectl("create", "namespace", "replicas")
    pair = Pair(Namespace(control_plane, "replicas"), control_plane, tmp_path_factory.mktemp("replicas"))
    try:
        pair.sides()
        wait_ready(pair.here)
        yield pair
        for replica in pair.replicas:
            assert "Traceback" not in replica.process.log.read_text()
    finally:
        for replica in pair.replicas:
            replica.process.kill()


def test_who_stands_by_is_alive_and_has_written_nothing(pair: Pair) -> None:
    _, second = pair.sides()
    assert second.process.healthy()
    assert second.written() == []


def test_the_lease_tells_people_who_leads(pair: Pair) -> None:
    first, _ = pair.sides()
    assert (pair.lease["holderIdentity"], pair.lease["leaseDurationSeconds"]) == (first.name, 15)
    age = datetime.now(UTC) - datetime.fromisoformat(pair.lease["renewTime"])
    assert age.total_seconds() < 10


def test_a_leader_that_is_killed_is_followed_and_nothing_is_done_twice(pair: Pair) -> None:
    first, second = pair.sides()
    before = len(second.written())
    run_by_hand(pair.here)
    pod_of(pair.here, "by-hand")
    first.process.kill()
    changed = pair.change("1 1 * * *")
    run_by_hand(pair.here, "another")
    pair.in_time(changed, "the change has arrived")
    pod_of(pair.here, "another")
    assert pair.leads(second)
    assert second.process.healthy()
    jobs = [name for name in pair.here.kubectl("get", "jobs", "--output=name").split() if "sync" not in name]
    assert sorted(jobs) == ["job.batch/another", "job.batch/by-hand"]
    assert second.written()[before] == "leases", "before it led it has written nothing"


def test_a_leader_that_was_frozen_does_nothing_when_it_wakes(pair: Pair) -> None:
    first, second = pair.sides()
    first.process.pause()
    pair.in_time(lambda: pair.leads(second), "the other leads")
    pair.here.wait(second.process.healthy, "the other is at work")
    # Were it not frozen too, it would leave nothing to do for the first.
    second.process.pause()
    changed = pair.change("2 2 * * *")
    before, stood_by = len(first.written()), second.said("Standing by")
    first.process.wake()
    pair.in_time(changed, "the first has taken over once more")
    assert first.written()[before] == "leases", "nothing before it led again"
    assert pair.leads(first)
    second.process.wake()
    pair.here.wait(lambda: second.said("Standing by") > stood_by, "the other has understood")
    assert first.process.healthy()
    assert second.process.healthy()


def test_a_leader_that_is_asked_to_end_gives_its_place_up_at_once(pair: Pair) -> None:
    first, second = pair.sides()
    transitions = pair.lease["leaseTransitions"]
    assert first.process.stop() == 0
    assert pair.lease["holderIdentity"] in ("", second.name)
    pair.in_time(pair.change("3 3 * * *"), "the change has arrived")
    assert pair.leads(second)
    assert pair.lease["leaseTransitions"] == transitions + 1


def test_who_is_asked_to_end_while_it_stands_by_ends(pair: Pair) -> None:
    first, second = pair.sides()
    assert second.process.stop() == 0
    assert pair.leads(first)
