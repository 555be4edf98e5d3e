"""Of several operators one leads: the rule, its use on a cluster, and the fence that it opens and closes."""

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kubernetes import client

from holdfast.domain.leadership import TERMS, Found, Seen, may_take, see
from holdfast.domain.mail_settings import MailServer, Sender
from holdfast.errors import ClusterUnavailable, LeaseLost
from holdfast.kube.connection import Connection
from holdfast.ports import LEASE, Kind, KubeObject, Letter
from holdfast.services.fence import FencedMailer, FencedMessenger, FencedPinger, LeaseFence
from holdfast.services.lead import Candidate, Place, keep_leading, stand_by
from tests.support.fake_cluster import START, FakeCluster
from tests.support.fake_mailer import FakeMailer
from tests.support.fake_messenger import FakeMessenger
from tests.support.fake_pinger import FakePinger

NOWHERE = "http://127.0.0.1:1"
URL, HEARTBEAT = "jsons://example.org", "https://example.org"
SERVER = MailServer("127.0.0.1", 25, False, Sender("holdfast@example.org"))
LETTER = Letter("id@example.org", "ops@example.org", START, "test", {})
EMPTY = {"metadata": {"namespace": "system", "name": "holdfast"}}


class Time:
    """True time."""

    def __init__(self) -> None:
        self.now = 0.0


class Ticks:
    """The clock of one candidate: it begins elsewhere, and runs a little faster or slower."""

    def __init__(self, time: Time, offset: float = 0, rate: float = 1) -> None:
        self._time, self._offset, self._rate = time, offset, rate

    def __call__(self) -> float:
        return self._offset + self._time.now * self._rate

    def of_day(self) -> datetime:
        return START + timedelta(seconds=self._time.now)


class Operator:
    """As far as it leads."""

    def __init__(self, cluster: FakeCluster, name: str, ticks: Ticks) -> None:
        self._cluster, self.name, self._ticks = cluster, name, ticks
        self.start()

    def start(self) -> None:
        """Anew, under the same name: what the old process knew is gone."""
        self.fence = LeaseFence(self._ticks)
        self.candidate = Candidate(
            self._cluster, Place("system", "holdfast", self.name), self._ticks, self._ticks.of_day
        )

    def look(self) -> bool:
        """One look at the Lease; whether it leads."""
        fence = self.fence
        try:
            until = self.candidate.seek()
        except ClusterUnavailable:
            return fence.is_open()
        if until is not None:
            fence.open_until(until)
        return fence.is_open()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    cluster.put(LEASE, EMPTY)
    return cluster


@pytest.fixture
def two(cluster: FakeCluster, time: Time) -> tuple[Operator, Operator]:
    return Operator(cluster, "a", Ticks(time)), Operator(cluster, "b", Ticks(time, offset=1000))


def lease(cluster: FakeCluster) -> KubeObject:
    body = cluster.get(LEASE, "system", "holdfast")
    assert body is not None
    spec: KubeObject = body["spec"]
    return spec


# --- the rule ---------------------------------------------------------------------------------------------------------


def test_a_lease_that_nobody_has_is_taken_at_once() -> None:
    assert may_take(Seen(Found("1"), 0), "a", 0, TERMS)


def test_ones_own_lease_is_renewed_and_taken_again_after_a_start() -> None:
    assert may_take(Seen(Found("1", "a", 15), 0), "a", 0, TERMS)


def test_a_lease_of_another_is_taken_when_it_has_not_changed_for_long_enough() -> None:
    seen = Seen(Found("1", "b", 15), since=100)
    assert not may_take(seen, "a", 114.9, TERMS)
    assert may_take(seen, "a", 115, TERMS)


def test_the_holders_own_word_counts_if_it_asks_for_more() -> None:
    assert not may_take(Seen(Found("1", "b", 60), 0), "a", 59, TERMS)


def test_a_lease_that_is_not_there_may_have_been_deleted_under_its_holder() -> None:
    assert not may_take(Seen(Found(), 0), "a", 14, TERMS)
    assert may_take(Seen(Found(), 0), "a", 15, TERMS)


def test_a_lease_that_changes_is_young_again() -> None:
    first = see(None, Found("1", "b", 15), 0)
    assert see(first, Found("1", "b", 15), 9).since == 0
    assert see(first, Found("2", "b", 15), 9).since == 9


def test_its_holder_stops_before_another_may_begin() -> None:
    assert TERMS.hold + 2 * TERMS.pause < TERMS.lease


# --- on a cluster -----------------------------------------------------------------------------------------------------


def test_the_first_leads_and_the_second_does_not(cluster: FakeCluster, two: tuple[Operator, Operator]) -> None:
    first, second = two
    assert first.look()
    assert not second.look()
    assert second.candidate.leader == "a"
    assert lease(cluster)["holderIdentity"] == "a"
    assert lease(cluster)["leaseTransitions"] == 1


def test_a_renewal_changes_the_time_and_not_the_beginning(cluster: FakeCluster, time: Time) -> None:
    ticks = Ticks(time)
    candidate = Candidate(cluster, Place("system", "holdfast", "a"), ticks, ticks.of_day)
    assert candidate.seek() == 10
    before = lease(cluster)
    time.now = 2
    assert candidate.seek() == 12
    assert lease(cluster) == {**before, "renewTime": "2026-03-01T12:00:02.000000Z"}


def test_who_died_is_followed_within_half_a_minute(two: tuple[Operator, Operator], time: Time) -> None:
    first, second = two
    first.look()
    while not second.look():
        time.now += TERMS.pause
    assert time.now <= TERMS.lease + TERMS.pause
    assert not first.fence.is_open()


def test_who_gives_it_back_is_followed_at_once(two: tuple[Operator, Operator]) -> None:
    first, second = two
    first.look()
    assert first.fence.shut(0)
    first.candidate.release()
    assert second.look()


def test_who_lost_it_does_not_give_it_back(cluster: FakeCluster, two: tuple[Operator, Operator], time: Time) -> None:
    first, second = two
    first.look()
    second.look()
    time.now = 20
    assert second.look()
    first.candidate.release()
    assert lease(cluster)["holderIdentity"] == "b"


def test_who_held_it_and_finds_it_without_its_name_has_lost_it(two: tuple[Operator, Operator], time: Time) -> None:
    first, second = two
    first.look()
    second.look()
    time.now = 20
    second.look()
    second.candidate.release()
    assert first.candidate.seek() is None, "another has led meanwhile"
    assert first.candidate.seek() is not None, "like any other candidate"


def test_a_lease_that_is_missing_is_made_after_a_while(time: Time) -> None:
    cluster = FakeCluster()
    operator = Operator(cluster, "a", Ticks(time))
    assert not operator.look()
    time.now = 15
    assert operator.look()
    assert lease(cluster)["holderIdentity"] == "a"


def test_two_that_ask_at_once_do_not_both_get_it(cluster: FakeCluster, two: tuple[Operator, Operator]) -> None:
    first, second = two

    def between(verb: str, _kind: Kind, _name: str) -> None:
        if verb == "patch":
            cluster.failing = lambda *_: None
            assert second.look()

    cluster.failing = between
    assert not first.look()


class Flaky(FakeCluster):
    """Between any two steps of one candidate the others may go on; and an answer may be lost on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.between: Callable[[], None] = lambda: None
        self.lost: Callable[[], bool] = lambda: False

    def get(self, kind: Kind, namespace: str, name: str) -> KubeObject | None:
        self.between()
        body = super().get(kind, namespace, name)
        self._answer()
        return body

    def patch(self, kind: Kind, current: KubeObject, changes: Mapping[str, Any]) -> KubeObject | None:
        self.between()
        if self.lost():
            raise ClusterUnavailable("It did not arrive.")
        body = super().patch(kind, current, changes)
        self._answer()
        return body

    def _answer(self) -> None:
        self.between()
        if self.lost():
            raise ClusterUnavailable("The answer did not arrive.")


def delete_lease(_: Operator, cluster: FakeCluster) -> None:
    if (body := FakeCluster.get(cluster, LEASE, "system", "holdfast")) is not None:
        cluster.delete(LEASE, body)


ACCIDENTS = (None, None, None, None, lambda operator, _: operator.start(), delete_lease)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_never_do_two_act_whatever_sleeps_dies_or_is_lost(data: st.DataObject) -> None:
    time, cluster = Time(), Flaky()
    cluster.put(LEASE, EMPTY)
    drift = st.sampled_from([0.93, 1.0, 1.07])
    operators = [
        Operator(cluster, name, Ticks(time, 1000 * index, data.draw(drift))) for index, name in enumerate("abc")
    ]
    awake = set(operators)

    def check() -> None:
        acting = [operator.name for operator in operators if operator.fence.is_open()]
        assert len(acting) <= 1, acting

    def wait() -> None:
        time.now += data.draw(st.sampled_from([0.0, 1.0, 7.5, 14.5, 20.0]))
        check()

    def act(depth: int) -> None:
        """One who is awake looks at the Lease, or is killed; while it waits for an answer, others do the same."""
        free = sorted(awake, key=lambda one: one.name)
        if not free:
            return
        operator = data.draw(st.sampled_from(free))
        if depth == 0 and (accident := data.draw(st.sampled_from(ACCIDENTS))) is not None:
            accident(operator, cluster)
            return
        awake.discard(operator)

        def between() -> None:
            wait()
            if depth < 2 and data.draw(st.booleans()):
                act(depth + 1)
            cluster.between = between

        before, cluster.between = cluster.between, between
        operator.look()
        cluster.between = before
        awake.add(operator)
        check()

    cluster.lost = lambda: data.draw(st.integers(0, 7)) == 0
    for _ in range(data.draw(st.integers(1, 8))):
        act(0)
        wait()

    cluster.lost, cluster.between = lambda: False, lambda: None
    end = time.now + 2 * TERMS.lease / 0.93 + 2 * TERMS.pause
    while not operators[0].look():
        time.now += TERMS.pause
        check()
        assert time.now <= end, "one who is alive must lead in the end"


# --- the fence, and the loops -----------------------------------------------------------------------------------------


def test_a_fence_is_shut_at_first_and_when_its_time_is_over(time: Time) -> None:
    fence = LeaseFence(Ticks(time))
    with pytest.raises(LeaseLost), fence.act():
        pass
    fence.open_until(10)
    with fence.act():
        pass
    time.now = 10
    with pytest.raises(LeaseLost), fence.act():
        pass


def test_a_fence_that_is_shut_waits_for_what_has_passed(time: Time) -> None:
    fence = LeaseFence(Ticks(time))
    fence.open_until(10)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with fence.act():
            inside.set()
            leave.wait(5)

    worker = threading.Thread(target=work)
    worker.start()
    assert inside.wait(5)
    assert not fence.shut(0)
    leave.set()
    assert fence.shut(5)
    worker.join()


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_request_that_changes_something_is_sent_behind_a_shut_fence(time: Time, method: str) -> None:
    connection = Connection(client.ApiClient(client.Configuration(host=NOWHERE)), fence=LeaseFence(Ticks(time)))
    with pytest.raises(LeaseLost):
        connection.request(method, "/api/v1/namespaces/here/events", body={})


def test_reading_needs_no_lease(time: Time) -> None:
    connection = Connection(
        client.ApiClient(client.Configuration(host=NOWHERE)), connect_seconds=0.1, fence=LeaseFence(Ticks(time))
    )
    with pytest.raises(ClusterUnavailable):
        connection.request("GET", "/version")


def test_no_mail_no_message_and_no_ping_goes_out_behind_a_shut_fence(time: Time) -> None:
    fence = LeaseFence(Ticks(time))
    mailer, messenger, pinger = FakeMailer(), FakeMessenger(), FakePinger()

    def send_all() -> int:
        sends: list[Callable[[], object]] = [
            lambda: FencedMailer(mailer, fence).send(SERVER, LETTER),
            lambda: FencedMessenger(messenger, fence).send(URL, LETTER),
            lambda: FencedPinger(pinger, fence).ping(HEARTBEAT),
        ]
        done = 0
        for send in sends:
            with suppress(LeaseLost):
                send()
                done += 1
        return done

    assert send_all() == 0
    assert [mailer.sent, messenger.sent, pinger.heard] == [[], [], []]
    fence.open_until(1)
    assert send_all() == 3
    assert FencedMessenger(messenger, fence).service(URL) == messenger.service(URL)


class Stop(threading.Event):
    """A wait lets time go by, and does what the test wants meanwhile."""

    def __init__(self, time: Time, *meanwhile: Any) -> None:
        super().__init__()
        self._time, self._meanwhile = time, list(meanwhile)

    def wait(self, timeout: float | None = None) -> bool:
        self._time.now += timeout or 0
        if self._meanwhile:
            self._meanwhile.pop(0)()
        else:
            self.set()
        return self.is_set()


def away() -> ClusterUnavailable:
    return ClusterUnavailable("The Kubernetes API does not answer.")


def test_standing_by_ends_when_it_is_our_turn(two: tuple[Operator, Operator], time: Time) -> None:
    first, second = two
    first.look()
    assert stand_by(second.candidate, second.fence, Stop(time, lambda: None, first.candidate.release))
    assert second.fence.is_open()


def test_standing_by_bears_a_cluster_that_is_away(
    cluster: FakeCluster, two: tuple[Operator, Operator], time: Time
) -> None:
    cluster.failing = lambda *_: away()

    def back() -> None:
        cluster.failing = lambda *_: None

    assert stand_by(two[0].candidate, two[0].fence, Stop(time, back))


def test_standing_by_ends_with_a_signal(two: tuple[Operator, Operator], time: Time) -> None:
    first, second = two
    first.look()
    assert not stand_by(second.candidate, second.fence, Stop(time))
    assert not second.fence.is_open()


def test_leading_ends_with_the_lease_given_back(
    cluster: FakeCluster, two: tuple[Operator, Operator], time: Time
) -> None:
    first, _ = two
    first.look()
    assert keep_leading(first.candidate, first.fence, Stop(time, lambda: None))
    assert not first.fence.is_open()
    assert lease(cluster)["holderIdentity"] == ""


def test_leading_goes_on_after_the_cluster_was_away_and_nobody_else_has_led(
    cluster: FakeCluster, two: tuple[Operator, Operator], time: Time
) -> None:
    first, _ = two
    first.look()
    states = []

    def gone() -> None:
        cluster.failing = lambda *_: away()
        time.now += 60

    def back() -> None:
        states.append(first.fence.is_open())
        cluster.failing = lambda *_: None

    assert keep_leading(
        first.candidate, first.fence, Stop(time, gone, back, lambda: states.append(first.fence.is_open()))
    )
    assert states == [False, True]


def test_leading_ends_at_once_when_another_has_the_lease(two: tuple[Operator, Operator], time: Time) -> None:
    first, second = two
    first.look()
    second.look()

    def asleep() -> None:
        time.now += 60
        assert second.look()

    assert not keep_leading(first.candidate, first.fence, Stop(time, asleep))
    assert not first.fence.is_open()
    assert second.fence.is_open()


def test_a_lease_that_somebody_works_under_is_not_given_back(
    cluster: FakeCluster, two: tuple[Operator, Operator], time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.services.lead.LAST_SECONDS", 0.01)
    first, _ = two
    first.look()
    with first.fence.act():
        assert keep_leading(first.candidate, first.fence, Stop(time))
    assert lease(cluster)["holderIdentity"] == "a"
