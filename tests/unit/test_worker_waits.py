"""A worker waits for its turn before it opens anything, and never for ever."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from holdfast.domain.catching_up import LONGEST, spread
from holdfast.domain.turns import PATIENCE
from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN
from holdfast.resources.base import format_time
from holdfast.services.await_turn import LOOK_SECONDS
from holdfast.services.worker_report import EXIT_RETRY, WorkerResult
from tests.support.kube_objects import NAMESPACE
from tests.unit.test_run_worker import JOB, Pod

TICK = "shop-29538840"
"""Of 2026-03-01 at 02:00."""
LOOKS = int(PATIENCE.total_seconds() / LOOK_SECONDS)


class WaitingPod(Pod):
    """``then`` happens at the given look at the run; nothing may be open before."""

    def __init__(self) -> None:
        super().__init__()
        self.then: dict[int, Callable[[], object]] = {}

    def work_in_turn(self, job: str = JOB) -> WorkerResult:
        return self.work(job, waits=True)

    def say(self, name: str = JOB, **queue: str) -> None:
        """What the operator says of the queue."""
        self.cluster.patch_status(BACKUP_RUN, self.run(name), {"queue": queue})

    def heard(self) -> None:
        self.say(seenTime=format_time(self.clock.now))

    def let_in(self) -> None:
        self.say(turnTime=format_time(self.clock.now))

    def _wait(self, seconds: float) -> None:
        assert not self.source.reads
        super()._wait(seconds)
        if then := self.then.get(len(self.waits)):
            then()


@pytest.fixture
def pod() -> WaitingPod:
    return WaitingPod()


def test_it_begins_when_it_is_let_in(pod: WaitingPod) -> None:
    pod.then = {1: pod.heard, 7: pod.let_in}
    assert pod.work_in_turn().exit_code == 0
    assert len(pod.waits) == 7
    assert pod.status()["phase"] == "Succeeded"
    assert "warnings" not in pod.status()


def test_the_wait_is_no_part_of_the_duration(pod: WaitingPod) -> None:
    pod.then = {60: pod.let_in}
    pod.work_in_turn()
    assert pod.status()["duration"] == "0s"


def test_it_waits_for_as_long_as_the_operator_is_heard_of(pod: WaitingPod) -> None:
    pod.then = dict.fromkeys(range(0, 5 * LOOKS, LOOKS - 1), pod.heard)
    pod.then[5 * LOOKS] = pod.let_in
    assert pod.work_in_turn().exit_code == 0
    assert len(pod.waits) == 5 * LOOKS
    assert "warnings" not in pod.status()


def test_it_begins_without_its_turn_when_the_operator_is_away(pod: WaitingPod) -> None:
    pod.then = {3: pod.heard}
    assert pod.work_in_turn().exit_code == 0
    assert pod.status()["phase"] == "Succeeded"
    assert "nothing was heard of the operator for 10 minutes" in pod.status()["warnings"][0]
    assert timedelta(seconds=sum(pod.waits)) <= PATIENCE + timedelta(seconds=5 * LOOK_SECONDS)


def test_a_run_that_is_cancelled_while_it_waits_is_not_begun(pod: WaitingPod) -> None:
    def cancel() -> None:
        pod.cluster.patch_status(BACKUP_RUN, pod.run(), {"phase": "Cancelled", "reason": "CancelRequested"})

    pod.then = {2: cancel}
    assert pod.work_in_turn().exit_code == 1
    assert pod.source.reads == []
    assert pod.status()["phase"] == "Cancelled"


def test_a_run_that_is_deleted_while_it_waits_is_not_begun(pod: WaitingPod) -> None:
    pod.then = {2: lambda: pod.cluster.delete(BACKUP_RUN, pod.run())}
    result = pod.work_in_turn()
    assert (result.exit_code, result.message.reason) == (2, "InvalidSpec")
    assert pod.source.reads == []


def test_a_worker_that_is_asked_to_stop_leaves_its_place_in_the_queue(pod: WaitingPod) -> None:
    pod.then = {2: pod.stop.set}
    assert pod.work_in_turn().exit_code == EXIT_RETRY
    assert (pod.status()["phase"], pod.status()["reason"]) == ("Pending", "Interrupted")
    assert "attempts" not in pod.status()


def test_a_run_that_was_let_in_before_goes_on_at_once(pod: WaitingPod) -> None:
    pod.then = {1: pod.let_in}
    pod.stop.clear()
    pod.opening = ClusterUnavailable("killed")
    assert pod.work_in_turn().exit_code == EXIT_RETRY
    pod.opening, pod.then = None, {}
    pod.waits.clear()
    assert pod.work_in_turn().exit_code == 0
    assert pod.waits == []


def test_a_run_that_began_without_its_turn_goes_on_at_once(pod: WaitingPod) -> None:
    pod.opening = ClusterUnavailable("killed")
    assert pod.work_in_turn().exit_code == EXIT_RETRY
    pod.opening = None
    pod.waits.clear()
    assert pod.work_in_turn().exit_code == 0
    assert pod.waits == []


def test_an_api_server_that_is_away_for_a_moment_is_waited_for(pod: WaitingPod) -> None:
    def away() -> None:
        pod.cluster.failing = lambda verb, _kind, _name: ClusterUnavailable("away") if verb == "get" else None

    def back() -> None:
        pod.cluster.failing = lambda _verb, _kind, _name: None
        pod.let_in()

    pod.then = {2: away, 20: back}
    assert pod.work_in_turn().exit_code == 0
    assert len(pod.waits) == 20


def test_a_scheduled_run_on_time_begins_at_once(pod: WaitingPod) -> None:
    pod.clock.now = pod.clock.now.replace(hour=2, minute=1)
    assert pod.work(TICK).exit_code == 0
    assert pod.waits == []


def test_a_scheduled_run_that_is_late_begins_at_a_moment_of_its_policy(pod: WaitingPod) -> None:
    pod.clock.now = pod.clock.now.replace(hour=2, minute=30)
    seen: list[str] = []
    pod.then = {1: lambda: seen.extend((pod.status(TICK)["phase"], pod.status(TICK)["reason"]))}
    assert pod.work(TICK).exit_code == 0
    assert seen == ["Pending", "CatchingUp"]
    assert 0 < sum(pod.waits) < 600


def test_a_second_pod_of_a_late_run_begins_at_the_same_moment(pod: WaitingPod) -> None:
    made = pod.clock.now = pod.clock.now.replace(hour=2, minute=30)
    policy = pod.cluster.get(BACKUP_POLICY, NAMESPACE, "shop")
    assert policy is not None
    moment = made + spread(policy["metadata"]["uid"], LONGEST)
    pod.then = {1: pod.stop.set}
    assert pod.work(TICK).exit_code == EXIT_RETRY
    pod.stop.clear()
    assert pod.work(TICK).exit_code == 0
    assert pod.clock.now == moment
