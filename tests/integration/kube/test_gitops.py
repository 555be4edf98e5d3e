"""What lies in Git is what is in the cluster, before and after the operator has worked on it: nothing drifts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.kube.conftest import ROOT, Namespace
from tests.support.operator_process import OperatorProcess

SAMPLES = ROOT / "manifests" / "samples"
KEYS = {
    "MONGODB_URI": "mongodb://app:hunter2@127.0.0.1:1/shop?serverSelectionTimeoutMS=500",
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "key": "c2l4dGVlbiBieXRlcyBvciBzaXh0ZWVuIGJ5dGVzIQ==",
}
"""All that a Secret of any sample holds. Nobody listens there."""
APPLIERS = ("kubectl", "kubectl-client-side-apply")
MAY_BE_TOUCHED = {"f:status", "f:metadata"}
"""Beside these, whoever did not apply an object owns nothing of it."""
OWN_METADATA = {"f:labels", "f:finalizers", "f:annotations", "f:ownerReferences"}


def samples() -> list[dict[str, Any]]:
    """Each as it lies in Git: with a name, and with one that no other sample has."""
    found: list[dict[str, Any]] = []
    for path in sorted(SAMPLES.glob("*.yaml")):
        for number, body in enumerate(filter(None, yaml.safe_load_all(path.read_text(encoding="utf-8")))):
            if prefix := body["metadata"].pop("generateName", ""):
                body["metadata"]["name"] = f"{prefix}{path.stem}-{number}"
            if any(one["kind"] == body["kind"] and one["metadata"] == body["metadata"] for one in found):
                body["metadata"]["name"] += f"-{path.stem}"
            found.append(body)
    return found


def secrets_in(node: Any) -> Iterator[str]:
    """The names of Secrets anywhere in a spec."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name.endswith("SecretRef") and isinstance(value, dict):
                yield value["name"]
            yield from secrets_in(value)
    elif isinstance(node, list):
        for one in node:
            yield from secrets_in(one)


@pytest.fixture
def git(here: Namespace, tmp_path: Path) -> Path:
    """A file with all samples; the Secrets that they name are there."""
    bodies = samples()
    assert {body["kind"] for body in bodies} == {"BackupPolicy", "BackupRun", "RestoreRun"}
    for name in sorted(set(secrets_in(bodies))):
        here.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": KEYS})
    path = tmp_path / "all.yaml"
    path.write_text(yaml.safe_dump_all(bodies))
    return path


def objects(here: Namespace) -> dict[str, dict[str, Any]]:
    options = ("--output=json", "--show-managed-fields")
    found = json.loads(here.kubectl("get", "backuppolicies,backupruns,restoreruns", *options))["items"]
    return {f"{body['kind']}/{body['metadata']['name']}": body for body in found}


def looked_at(here: Namespace) -> dict[str, dict[str, Any]] | None:
    """The objects, once the operator has said something about each."""
    found = objects(here)
    all_told = all({"conditions", "phase"} & body["status"].keys() for body in found.values())
    return found if all_told else None


@pytest.mark.parametrize("side", [(), ("--server-side",)], ids=["client", "server"])
def test_what_was_applied_shows_no_difference_after_the_operator_worked_on_it(
    here: Namespace, operator: OperatorProcess, git: Path, side: tuple[str, ...]
) -> None:
    del operator
    manifest = ("-f", str(git))
    here.kubectl("apply", *side, *manifest)
    before: dict[str, dict[str, Any]] = here.wait(lambda: looked_at(here), "the operator has looked at all of it", 60)
    assert here.kubectl("diff", *side, *manifest, check=False) == ""
    again = here.kubectl("apply", *side, *manifest).splitlines()
    assert side or all(line.endswith(" unchanged") for line in again)
    after = objects(here)
    for name, body in before.items():
        assert after[name]["spec"] == body["spec"], name
        assert after[name]["metadata"]["generation"] == body["metadata"]["generation"] == 1, name
        for entry in body["metadata"]["managedFields"]:
            if entry["manager"] in APPLIERS:
                assert "f:status" not in entry["fieldsV1"], name
                continue
            assert set(entry["fieldsV1"]) <= MAY_BE_TOUCHED, (name, entry)
            assert set(entry["fieldsV1"].get("f:metadata", {})) <= OWN_METADATA, (name, entry)
    assert any(
        entry["manager"] not in APPLIERS for body in before.values() for entry in body["metadata"]["managedFields"]
    )


def test_a_difference_would_be_shown(here: Namespace, git: Path) -> None:
    here.kubectl("apply", "-f", str(git))
    here.kubectl("patch", "bp", "timetrack", "--type=merge", '--patch={"spec": {"schedule": {"cron": "1 1 1 1 *"}}}')
    assert "1 1 1 1 *" in here.kubectl("diff", "-f", str(git), check=False)
