"""The chart as Helm renders it."""

from pathlib import Path

import pytest
import yaml

from tests.support.kubectl import CommandFailed, Kubectl

ROOT = Path(__file__).resolve().parents[2]
CHART = str(ROOT / "charts/holdfast")


def rendered(kubectl: Kubectl, *options: str) -> str:
    return kubectl.run("helm", "template", "holdfast", CHART, "--namespace", "holdfast-system", *options)


def test_the_plain_manifests_are_those_of_the_chart(kubectl: Kubectl) -> None:
    assert (ROOT / "manifests/default/holdfast.yaml").read_text() == rendered(kubectl), "run `make generate`"


def test_the_chart_passes_helms_strict_lint(kubectl: Kubectl) -> None:
    kubectl.run("helm", "lint", "--strict", CHART)


@pytest.mark.parametrize(
    "option", ["unknown=1", "image.pullPolicy=Sometimes", "image.digest=latest", "resyncSeconds=0"]
)
def test_an_unknown_or_wrong_value_is_refused(kubectl: Kubectl, option: str) -> None:
    with pytest.raises(CommandFailed, match="schema"):
        rendered(kubectl, "--set", option)


def test_no_right_is_a_wildcard_and_secrets_are_only_read_one_by_one(kubectl: Kubectl) -> None:
    roles = [body for body in yaml.safe_load_all(rendered(kubectl)) if body and body["kind"] == "ClusterRole"]
    rules = [rule for role in roles for rule in role["rules"]]
    assert rules
    assert not [rule for rule in rules if "*" in rule["verbs"] + rule["resources"] + rule["apiGroups"]]
    assert [rule["verbs"] for rule in rules if "secrets" in rule["resources"]] == [["get"]]


def test_a_digest_wins_over_a_tag(kubectl: Kubectl) -> None:
    digest = "sha256:" + "0" * 64
    assert f"holdfast@{digest}" in rendered(kubectl, "--set", f"image.digest={digest}", "--set", "image.tag=x")


def test_crds_can_be_left_out(kubectl: Kubectl) -> None:
    assert "kind: CustomResourceDefinition" not in rendered(kubectl, "--set", "crds.install=false")
