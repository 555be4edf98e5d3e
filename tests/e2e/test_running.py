"""The installation itself: whether it answers, more than one operator, and an upgrade under way."""

import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.site import Site
from tests.support.kubectl import Kubectl
from tests.support.schedules import NOT_NOW

OPERATOR = "app.kubernetes.io/component=operator"
SECONDS = 30
"""Within which another operator has taken over, by the word of the documents."""


def leader(operator: Kubectl) -> str:
    return str(operator.get("lease/holdfast")["spec"].get("holderIdentity", ""))


def pods(operator: Kubectl) -> set[str]:
    return set(operator("get", "pods", "--selector", OPERATOR, "--output=jsonpath={.items[*].metadata.name}").split())


@pytest.fixture
def two(operator: Kubectl) -> Iterator[Kubectl]:
    """Two operators; afterwards there is one again, and it leads."""
    operator("scale", "deployment/holdfast", "--replicas=2")
    operator("rollout", "status", "deployment/holdfast", "--timeout=90s")
    yield operator
    operator("scale", "deployment/holdfast", "--replicas=1")
    operator("rollout", "status", "deployment/holdfast", "--timeout=90s")
    led_by_another(operator)


def led_by_another(operator: Kubectl, *before: str) -> None:
    """Wait until a pod leads that is none of these. One that is to end may still work for a moment."""
    deadline = time.monotonic() + SECONDS
    while (now := leader(operator)) in before or now not in pods(operator):
        assert time.monotonic() < deadline, f"nobody else leads, but {now!r}"


def seen_to(site: Site, cron: str) -> None:
    """Change a policy, and wait until an operator has seen to it."""
    patch = json.dumps({"spec": {"schedule": {"cron": cron}}})
    site.kubectl("patch", "backuppolicy/timetrack", "--type=merge", f"--patch={patch}")
    site.kubectl.wait("cronjob/timetrack", f"jsonpath={{.spec.schedule}}={cron}", SECONDS)


def test_helm_test_says_that_it_answers(operator: Kubectl) -> None:
    assert "Succeeded" in operator.run("helm", "test", "holdfast", "--timeout", "2m")


def test_the_pod_of_the_leader_is_killed_and_another_goes_on(two: Kubectl, site: Site) -> None:
    site.ready()
    first = leader(two)
    assert first in pods(two)
    two("delete", "pod", first, "--grace-period=0", "--force")
    led_by_another(two, first)
    seen_to(site, "1 1 1 1 *")
    seen_to(site, NOT_NOW)


def test_a_rollout_hands_the_work_over(operator: Kubectl, site: Site) -> None:
    site.ready()
    before, transitions = pods(operator), operator.get("lease/holdfast")["spec"]["leaseTransitions"]
    operator("rollout", "restart", "deployment/holdfast")
    operator("rollout", "status", "deployment/holdfast", "--timeout=90s")
    led_by_another(operator, *before)
    seen_to(site, "2 2 2 2 *")
    assert operator.get("lease/holdfast")["spec"]["leaseTransitions"] == transitions + 1
