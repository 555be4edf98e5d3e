"""A restore by several pods: a real Indexed Job and real workers, one of which is killed."""

from typing import Any

import pytest

from tests.integration.kube.shop import Shop, restore
from tests.integration.kube.test_together import DOCUMENTS, by_two_pods, completed, fill_big, live_pods
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.held import INSERTS, held, hold, release
from tests.support.mongod import Mongod


@pytest.fixture
def backed_up(holding: tuple[Mongod, Shop]) -> Shop:
    _, shop = holding
    fill_big(shop)
    shop.back_up()
    by_two_pods(shop)
    return shop


def test_two_pods_do_one_restore_and_one_that_is_killed_comes_back(backed_up: Shop) -> None:
    shop, here = backed_up, backed_up.here
    client, then = shop.database.client, f"{shop.database.name}_then"
    shop.may_write(then)
    hold(client, f"{then}.big", INSERTS)
    here.apply(restore(mode="Apply", target={"database": then}))
    pods: dict[int, str] = here.wait(lambda: (p := live_pods(here, "restore-back")) and len(p) == 2 and p, "two pods")
    first, second = (shop.start_pod(pods[index]) for index in (0, 1))
    # Each of them has two processes at most.
    here.wait(lambda: len(held(client, f"{then}.big", INSERTS)) > 2, "both are writing", 90)
    second.process.kill()
    # Its helpers hold what it wrote to until they see that it is gone, and they wait for the server.
    release(client, f"{then}.big", INSERTS)
    assert second.end() == 137
    again: str = here.wait(lambda: live_pods(here, "restore-back").get(1), "index 1 has another pod", 60)
    second = shop.start_pod(again)
    status = here.wait_for_status("rr", "back", 120, phase="Succeeded")
    assert {pod.end() for pod in (first, second)} == {0}
    assert (status["attempts"], status["verification"]["result"]) == (1, "Equal"), status
    assert status["documents"] >= DOCUMENTS
    restored: Any = client[then]
    assert differences(shop.content(), snapshot_of(restored, skip=OWN_COLLECTIONS)) == []
    here.wait(lambda: completed(here, "restore-back"), "the Job is complete")
    assert [reason for reason, _ in shop.events()].count("Succeeded") == 1
    client.drop_database(then)
