"""What is installed, and what a policy becomes, in the words of each Kubernetes that is supported."""

from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from holdfast.ports import CRON_JOB, DEPLOYMENT, JOB, ROLE, ROLE_BINDING, SERVICE_ACCOUNT, Kind, KubeObject
from holdfast.resources.drill import DrillSpec
from holdfast.specs import access
from holdfast.specs.archiver import archiver
from holdfast.specs.drill_job import drill_cron_job
from holdfast.specs.prune_job import prune_job
from holdfast.specs.sync_job import sync_job
from holdfast.specs.worker import cron_job
from tests.support.kube_objects import IMAGE, policy_model

ROOT = Path(__file__).parents[2]
VERSIONS = [f"1.{minor}" for minor in range(29, 36)]
OWN_KINDS = ("BackupPolicy", "BackupRun", "RestoreRun")


def installed() -> Iterator[KubeObject]:
    for path in sorted((ROOT / "manifests").glob("*/*.yaml")):
        for body in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if body and body["kind"] not in ("Kustomization", *OWN_KINDS):
                yield body


def as_sent(kind: Kind, body: KubeObject) -> KubeObject:
    return {"apiVersion": kind.api_version, "kind": kind.name, **body}


def made() -> Iterator[KubeObject]:
    """All that a policy becomes which asks for everything."""
    drill = {
        "schedule": "0 5 * * 0",
        "target": {"ephemeral": {"image": "mongo:7.0"}},
    }
    policy = policy_model(
        job={
            "parallelism": 3,
            "resources": {"limits": {"memory": "1Gi"}},
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "nodeSelector": {"disk": "fast"},
        },
        storage={"volume": {"claimName": "backups"}},
        encryption={"keySecretRef": {"name": "key"}},
        pointInTime={"enabled": True},
        verification={"drill": drill},
    )
    yield as_sent(CRON_JOB, cron_job(policy, IMAGE))
    yield as_sent(CRON_JOB, drill_cron_job(policy, DrillSpec.model_validate(drill), IMAGE))
    yield as_sent(JOB, prune_job(policy, IMAGE))
    yield as_sent(JOB, sync_job(policy, IMAGE, None))
    yield as_sent(DEPLOYMENT, archiver(policy, IMAGE))
    yield as_sent(SERVICE_ACCOUNT, access.service_account(policy))
    yield as_sent(ROLE, access.role(policy))
    yield as_sent(ROLE_BINDING, access.role_binding(policy))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_installed_is_valid(version: str) -> None:
    for body in installed():
        kubernetes_validate.validate(body, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_policy_becomes_is_valid(version: str) -> None:
    for body in made():
        kubernetes_validate.validate(body, version, strict=True)


def test_a_word_that_kubernetes_does_not_know_is_refused() -> None:
    body = as_sent(CRON_JOB, cron_job(policy_model(), IMAGE))
    body["spec"]["concurrency"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(body, VERSIONS[0], strict=True)


def test_the_versions_are_those_that_the_chart_takes() -> None:
    chart = yaml.safe_load((ROOT / "charts" / "holdfast" / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["kubeVersion"].startswith(f">={VERSIONS[0]}.0")
