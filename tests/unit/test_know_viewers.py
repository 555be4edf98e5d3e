"""What is remembered of who somebody is and what they may do, and for how long."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, Kind, Viewer
from holdfast.services.know_viewers import KnownViewers

ANN = Viewer("ann")


class Counting:
    """A cluster that knows the token ``good``, and lets everybody do everything in ``shop``."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.down = False

    def identify(self, token: str) -> Viewer | None:
        self._ask(token)
        return ANN if token == "good" else None

    def allows(self, viewer: Viewer, verb: str, kind: Kind, namespace: str | None) -> bool:
        self._ask(f"{viewer.name} {verb} {kind.plural} {namespace}")
        return namespace == "shop"

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.down:
            raise ClusterUnavailable("It does not answer.")


class Moment:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def cluster() -> Counting:
    return Counting()


@pytest.fixture
def clock() -> Moment:
    return Moment()


@pytest.fixture
def viewers(cluster: Counting, clock: Moment) -> KnownViewers:
    return KnownViewers(cluster, clock, seconds=10, limit=3)


def test_it_asks_once_within_its_seconds(viewers: KnownViewers, cluster: Counting, clock: Moment) -> None:
    for clock.seconds in (0, 5, 9.9):
        assert viewers.identify("good") == ANN
        assert viewers.allows(ANN, "list", BACKUP_RUN, "shop")
    assert cluster.asked == ["good", "ann list backupruns shop"]


def test_it_asks_again_afterwards_however_often_it_was_asked(
    viewers: KnownViewers, cluster: Counting, clock: Moment
) -> None:
    for clock.seconds in (0, 9, 10):
        viewers.identify("good")
    assert cluster.asked == ["good", "good"]


def test_a_refusal_is_remembered_too(viewers: KnownViewers, cluster: Counting) -> None:
    assert viewers.identify("bad") is None
    assert viewers.identify("bad") is None
    assert cluster.asked == ["bad"]


def test_answers_are_not_taken_for_one_another(viewers: KnownViewers) -> None:
    assert viewers.allows(ANN, "list", BACKUP_RUN, "shop")
    assert not viewers.allows(ANN, "list", BACKUP_RUN, "other")
    assert not viewers.allows(ANN, "list", BACKUP_RUN, None)


@pytest.mark.parametrize(
    ("viewer", "verb", "kind"),
    [
        (Viewer("bob"), "list", BACKUP_RUN),
        (Viewer("ann", groups=("admins",)), "list", BACKUP_RUN),
        (ANN, "create", BACKUP_RUN),
        (ANN, "list", BACKUP_POLICY),
    ],
)
def test_each_other_question_is_asked(
    viewers: KnownViewers, cluster: Counting, viewer: Viewer, verb: str, kind: Kind
) -> None:
    viewers.allows(ANN, "list", BACKUP_RUN, "shop")
    viewers.allows(viewer, verb, kind, "shop")
    assert len(cluster.asked) == 2


def test_a_failure_to_ask_is_not_an_answer(viewers: KnownViewers, cluster: Counting) -> None:
    cluster.down = True
    with pytest.raises(ClusterUnavailable):
        viewers.identify("good")
    cluster.down = False
    assert viewers.identify("good") == ANN


def test_many_wrong_tokens_do_not_fill_the_memory(viewers: KnownViewers, cluster: Counting) -> None:
    for number in range(10):
        viewers.identify(f"wrong-{number}")
    viewers.identify("wrong-9")
    viewers.identify("wrong-0")
    assert cluster.asked[-2:] == ["wrong-9", "wrong-0"]
    assert len(viewers._answers) == 3


@pytest.mark.parametrize("down", [False, True])
def test_many_who_want_to_know_the_same_at_once_ask_once(
    viewers: KnownViewers, cluster: Counting, monkeypatch: pytest.MonkeyPatch, down: bool
) -> None:
    begun, go_on = threading.Barrier(4), threading.Event()
    ask, cluster.down = cluster.identify, down

    def slowly(token: str) -> Viewer | None:
        assert go_on.wait(10)
        return ask(token)

    def one() -> Viewer | str | None:
        begun.wait(10)
        try:
            return viewers.identify("good")
        except ClusterUnavailable as error:
            return error.reason

    monkeypatch.setattr(cluster, "identify", slowly)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(one) for _ in range(3)]
        begun.wait(10)
        go_on.set()
        assert [one.result() for one in answers] == [ClusterUnavailable.reason if down else ANN] * 3
    if not down:
        assert cluster.asked == ["good"]


def test_what_is_still_wanted_is_renewed_before_its_seconds_are_over_and_nobody_waits(
    cluster: Counting, clock: Moment
) -> None:
    renewals: list[Callable[[], None]] = []
    viewers = KnownViewers(cluster, clock, renew=renewals.append, seconds=10)
    for clock.seconds in (0, 3.9, 9.1, 9.2):
        assert viewers.identify("good") == ANN
    assert cluster.asked == ["good"]
    [renewal] = renewals
    renewal()
    assert cluster.asked == ["good", "good"]
    clock.seconds = 13
    assert viewers.identify("good") == ANN
    assert cluster.asked == ["good", "good"], "it counts from when it was asked for"


def test_a_renewal_that_fails_takes_nothing_from_what_is_known(cluster: Counting, clock: Moment) -> None:
    viewers = KnownViewers(cluster, clock, renew=lambda renewal: renewal(), seconds=10)
    viewers.identify("good")
    cluster.down, clock.seconds = True, 9.5
    assert viewers.identify("good") == ANN
    clock.seconds = 10
    with pytest.raises(ClusterUnavailable):
        viewers.identify("good")


def test_it_says_whether_it_can_answer_at_once(viewers: KnownViewers, clock: Moment) -> None:
    assert not viewers.remembers("good")
    viewers.identify("good")
    clock.seconds = 9.9
    assert viewers.remembers("good")
    clock.seconds = 10
    assert not viewers.remembers("good")
