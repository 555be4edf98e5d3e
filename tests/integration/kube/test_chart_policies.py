"""Policies from the values of the chart, by Helm, in a cluster that has never heard of Holdfast."""

import json

import pytest

from tests.integration.kube.conftest import ROOT
from tests.support.control_plane import ControlPlane
from tests.support.helm import HelmFailed, helm, helm_program

CHART = str(ROOT / "charts" / "holdfast")
POLICIES = [
    {
        "name": "shop",
        "namespace": "default",
        "spec": {"source": {"uriSecretRef": {"name": "shop"}}, "schedule": {"cron": "0 2 * * *"}},
    }
]


def test_they_come_with_an_upgrade_and_outlive_the_release(bare: ControlPlane) -> None:
    program = helm_program()
    options = ["--kubeconfig", str(bare.kubeconfig), "--namespace", "default"]
    policies = ["--set-json", f"policies={json.dumps(POLICIES)}"]

    def names() -> str:
        return bare.kubectl("get", "backuppolicies", "--namespace", "default", "--output=name")

    with pytest.raises(HelmFailed, match="ensure CRDs are installed first"):
        helm(program, "install", "holdfast", CHART, *policies, *options)
    helm(program, "install", "holdfast", CHART, *options)
    helm(program, "upgrade", "holdfast", CHART, *policies, *options)
    assert names() == "backuppolicy.holdfast.dev/shop\n"
    helm(program, "upgrade", "holdfast", CHART, *options)
    helm(program, "upgrade", "holdfast", CHART, *policies, *options)  # it is ours again
    helm(program, "uninstall", "holdfast", *options)
    assert names() == "backuppolicy.holdfast.dev/shop\n"
