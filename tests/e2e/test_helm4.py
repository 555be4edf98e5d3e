"""Helm 4 waits for policies as Flux does, by the rules of kstatus: a chart of them, installed into a real cluster."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import cluster
from tests.e2e.site import API, Site
from tests.support.helm import helm_program
from tests.support.schedules import NOT_NOW

SECONDS = 60


def chart_of(folder: Path, **policies: dict[str, Any]) -> Path:
    """A chart with these policies, by name, as a team has one beside its application."""
    templates = folder / "templates"
    templates.mkdir()
    head = {"apiVersion": "v2", "name": "backups", "version": "1.0.0"}
    (folder / "Chart.yaml").write_text(yaml.safe_dump(head))
    for name, changes in policies.items():
        spec = {"source": {"uriSecretRef": {"name": "timetrack"}}, "schedule": {"cron": NOT_NOW}, **changes}
        body = {"apiVersion": API, "kind": "BackupPolicy", "metadata": {"name": name}, "spec": spec}
        (templates / f"{name}.yaml").write_text(yaml.safe_dump(body))
    return folder


def install(kubernetes: cluster.Cluster, site: Site, chart: Path) -> "subprocess.Popen[str]":
    """As docs/gitops.md says."""
    words = ["upgrade", "--install", "backups", str(chart), "--wait", "--timeout", f"{SECONDS}s"]
    return subprocess.Popen(
        [helm_program("helm4"), *words, "--namespace", site.namespace],
        env={**os.environ, "KUBECONFIG": str(kubernetes.kubeconfig)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ready_status(site: Site, name: str) -> str:
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    return site.kubectl("get", "backuppolicy", name, "--output", path)


@pytest.fixture
def program() -> str:
    done = subprocess.run([helm_program("helm4"), "version", "--short"], capture_output=True, text=True, check=True)
    return done.stdout


def test_it_comes_back_when_each_policy_is_ready_and_not_before(
    kubernetes: cluster.Cluster, site: Site, tmp_path: Path, program: str
) -> None:
    assert program.startswith("v4."), "the rules are those of Helm 4"
    helm = install(kubernetes, site, chart_of(tmp_path, timetrack={}, other={}))
    site.kubectl.wait("backuppolicy/other", "create")
    site.not_ready("SecretMissing")
    assert helm.poll() is None, "it did not wait for a policy that is not Ready"
    site.secret(site.uri())
    said, _ = helm.communicate(timeout=SECONDS + 30)
    assert helm.returncode == 0, said
    assert [ready_status(site, name) for name in ("timetrack", "other")] == ["True", "True"]


def test_it_fails_in_time_and_says_why_where_a_policy_cannot_be(
    kubernetes: cluster.Cluster, site: Site, tmp_path: Path
) -> None:
    site.secret(site.uri())
    never = {"schedule": {"cron": "0 25 * * *"}}
    begin = time.monotonic()
    helm = install(kubernetes, site, chart_of(tmp_path, timetrack={}, never=never))
    said, _ = helm.communicate(timeout=SECONDS + 30)
    assert helm.returncode != 0
    assert time.monotonic() - begin < SECONDS, "it waited for what nobody but a person can change"
    assert f"BackupPolicy/{site.namespace}/never not ready. status: Failed" in said
    assert "0 25 * * *" in said
    assert f"BackupPolicy/{site.namespace}/timetrack" not in said
