"""A backup by several pods: a real Indexed Job and real workers, one of which is killed."""

import json
from typing import Any

import pytest
from bson import encode
from bson.raw_bson import RawBSONDocument

from tests.integration.kube.conftest import Namespace
from tests.integration.kube.shop import Shop
from tests.integration.kube.test_operator import run_by_hand
from tests.integration.kube.test_resources import policy

DOCUMENTS = 60_000
"""Of about a KiB: two portions and a bit."""


@pytest.fixture
def big(shop: Shop) -> Shop:
    fill_big(shop)
    by_two_pods(shop, source={"collections": ["big", "users"], "maxBytesPerSecond": 5 * 2**20})
    return shop


def fill_big(shop: Shop) -> None:
    text = "word " * 200
    for first in range(0, DOCUMENTS, 10_000):
        shop.database["big"].insert_many(
            [RawBSONDocument(encode({"_id": n, "text": f"{n} {text}"})) for n in range(first, first + 10_000)]
        )


def by_two_pods(shop: Shop, **spec: Any) -> None:
    changes = {"spec": {"job": {"parallelism": 2, "backoffLimit": 2}, **spec}}
    shop.here.kubectl("patch", "bp/shop", "--type=merge", f"--patch={json.dumps(changes)}")


def live_pods(here: Namespace, job: str) -> dict[int, str]:
    """The pods of a Job that have not ended, by their indexes."""
    selector = f"--selector=batch.kubernetes.io/job-name={job}"
    pods = json.loads(here.kubectl("get", "pods", selector, "--output=json"))["items"]
    return {
        int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"]): pod["metadata"]["name"]
        for pod in pods
        if pod.get("status", {}).get("phase") not in ("Failed", "Succeeded")
    }


def test_two_pods_take_one_backup_and_one_that_is_killed_comes_back(big: Shop) -> None:
    here = big.here
    run_by_hand(here)
    pods: dict[int, str] = here.wait(lambda: (p := live_pods(here, "by-hand")) and len(p) == 2 and p, "two pods")
    first, second = (big.start_pod(pods[index]) for index in (0, 1))
    here.wait(lambda: at_work(big) == 2, "both are reading", 60)
    second.process.kill()
    assert second.end() == 137
    again: str = here.wait(lambda: live_pods(here, "by-hand").get(1), "index 1 has another pod", 60)
    second = big.start_pod(again)
    status = here.wait_for_status("br", "by-hand", 60, phase="Succeeded")
    assert {pod.end() for pod in (first, second)} == {0}
    assert status["documents"] == DOCUMENTS + big.database["users"].count_documents({})
    assert (status["attempts"], status["consistency"]["level"]) == (1, "Snapshot")
    here.wait(lambda: completed(here, "by-hand"), "the Job is complete")


def test_what_the_schedule_starts_is_an_indexed_job_too(shop: Shop) -> None:
    by_two_pods(shop)

    def template() -> dict[str, Any]:
        spec: dict[str, Any] = shop.here.get("cronjob", "shop")["spec"]["jobTemplate"]["spec"]
        return spec

    spec = shop.here.wait(lambda: template() if "completionMode" in template() else None, "the CronJob is told")
    assert (spec["completionMode"], spec["completions"], spec["backoffLimitPerIndex"]) == ("Indexed", 2, 2)


@pytest.mark.parametrize("name", ["p" * 50, "a.dot"], ids=["long", "dot"])
def test_a_name_that_leaves_no_room_for_an_index_is_refused_in_words(here: Namespace, name: str) -> None:
    here.apply(policy(name))
    body = policy(name, job={"parallelism": 2})
    refused = here.kubectl("apply", "-f", "-", stdin=json.dumps(body), check=False)
    assert "at most 49 characters and no dot" in refused


def at_work(shop: Shop) -> int:
    """How many pods hold the repository, once there is a plan that they follow."""
    objects = shop.database["backupmetadatas"]
    planned = objects.count_documents({"_id": {"$regex": "^shared/.*/plans/"}})
    return objects.count_documents({"_id": {"$regex": "^locks/shared/"}}) if planned else 0


def completed(here: Namespace, job: str) -> bool:
    conditions = here.get("job", job).get("status", {}).get("conditions", [])
    return any(one["type"] == "Complete" and one["status"] == "True" for one in conditions)
