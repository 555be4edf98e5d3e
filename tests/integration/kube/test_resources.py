"""The CRDs on a real API server: what is refused, and in which words; what kubectl shows."""

import json
from typing import Any

import pytest

from tests.integration.kube.conftest import ROOT, Namespace
from tests.support.control_plane import ControlPlane
from tests.support.helm import objects_in
from tests.support.schedules import NOT_NOW

SAMPLES = ROOT / "manifests" / "samples"


def policy(name: str = "shop", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "holdfast.dev/v1alpha1",
        "kind": "BackupPolicy",
        "metadata": {"name": name},
        "spec": {"source": {"uriSecretRef": {"name": "shop"}}, "schedule": {"cron": NOT_NOW}, **spec},
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (policy(notifications={"email": {"events": ["BackupExploded"]}}), 'Unsupported value: "BackupExploded"'),
        (policy(notifications={"email": {"recipients": [{"address": "nobody"}]}}), "recipients[0].address"),
        (policy("p" * 53), "at most 52 characters"),
        (policy(storage={}), "exactly one kind of store"),
        (policy(compression={"level": 20}), "should be less than or equal to 19"),
        (policy(source={"uriSecretRef": {"name": "shop"}, "consistency": "Often"}), 'supported values: "Required"'),
        (policy(schedule={"cron": "0 2 * * *", "crown": 1}), 'unknown field "spec.schedule.crown"'),
        (policy(source={}), "spec.source.uriSecretRef: Required value"),
        (policy(job={"resources": {"limits": {"memory": "much"}}}), "spec.job.resources.limits.memory"),
        (policy(source={"uriSecretRef": {"name": "shop"}, "collections": ["a", "a"]}), "Duplicate value"),
    ],
)
def test_a_wrong_policy_is_refused_in_words(here: Namespace, body: dict[str, Any], said: str) -> None:
    assert said in here.kubectl("create", "-f", "-", stdin=json.dumps(body), check=False)


def test_the_longest_name_is_taken(here: Namespace) -> None:
    here.apply(policy("p" * 52))


def test_the_samples_are_taken_and_shown(here: Namespace) -> None:
    here.kubectl("apply", "-f", str(SAMPLES / "timetrack.yaml"))
    here.kubectl("create", "-f", str(SAMPLES / "run.yaml"))
    spec = here.get("bp", "timetrack")["spec"]
    assert spec["storage"] == {"mongodb": {}}
    assert spec["job"]["resources"]["limits"] == {"memory": "512Mi"}
    assert spec["job"]["startTimeoutSeconds"] == 600
    shown = here.kubectl("get", "holdfast")
    for column in ("SCHEDULE", "SUSPENDED", "READY", "LAST SUCCESS", "NEXT"):
        assert column in shown
    for column in ("POLICY", "PHASE", "PROGRESS", "DOCUMENTS", "SIZE", "NEW", "CONSISTENCY", "DURATION"):
        assert column in shown


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.glob("*.yaml")))
def test_every_sample_is_taken_as_it_is(here: Namespace, sample: str) -> None:
    here.kubectl("create", "--validate=strict", "-f", str(SAMPLES / sample))


@pytest.mark.parametrize(
    ("template", "kinds"),
    [
        ("web-access.yaml", {"PodDisruptionBudget", "Ingress"}),
        ("network-policies.yaml", {"NetworkPolicy"}),
    ],
)
def test_what_the_chart_makes_on_demand_is_taken(control_plane: ControlPlane, template: str, kinds: set[str]) -> None:
    settings = [
        "web.enabled=true", "web.podDisruptionBudget.enabled=true", "web.ingress.enabled=true",
        "web.ingress.host=a.example.com", "web.ingress.tlsSecret=tls", "networkPolicy.enabled=true",
        "networkPolicy.webFrom[0].podSelector.matchLabels.app=a",
        "networkPolicy.metricsFrom[0].podSelector.matchLabels.app=a",
        "networkPolicy.egress[0].ports[0].port=443",
    ]  # fmt: skip
    rendered = control_plane.render(ROOT / "charts" / "holdfast", f"templates/{template}", *settings)
    assert {body["kind"] for body in objects_in(rendered)} == kinds
    control_plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=rendered)


def test_the_spec_of_a_run_stays(here: Namespace) -> None:
    here.kubectl("create", "-f", str(SAMPLES / "run.yaml"))
    name = here.kubectl("get", "br", "--output=name").strip()
    answer = here.kubectl("patch", name, "--type=merge", '--patch={"spec":{"reason":"Scheduled"}}', check=False)
    assert "cannot be changed" in answer


def test_a_run_is_cancelled_for_good(here: Namespace) -> None:
    here.kubectl("create", "-f", str(SAMPLES / "run.yaml"))
    name = here.kubectl("get", "br", "--output=name").strip()
    here.kubectl("patch", name, "--type=merge", '--patch={"spec":{"cancel":true}}')
    answer = here.kubectl("patch", name, "--type=merge", '--patch={"spec":{"cancel":false}}', check=False)
    assert "does not go on" in answer


def test_every_field_is_explained(here: Namespace) -> None:
    assert "Five cron fields" in here.kubectl("explain", "backuppolicies.spec.schedule.cron")
    assert "<no description>" not in here.kubectl("explain", "backuppolicies", "--recursive")
    assert "How many pods have worked on it" in here.kubectl("explain", "backupruns.status")
