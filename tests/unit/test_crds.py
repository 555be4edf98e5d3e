"""The CRDs under crds/ are those of the models, and in the form that Kubernetes asks for."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.resources.crd import documents
from holdfast.resources.policy import BackupPolicy, BackupPolicyStatus
from holdfast.resources.run import BackupRun
from holdfast.services.beat import HEARTBEAT_READY
from holdfast.services.own_templates import TEMPLATES_READY
from holdfast.services.reconcile_policy import READY
from holdfast.services.say_notifications import CHANNELS_READY, NOTIFICATIONS_READY
from holdfast.services.see_missed import SCHEDULE_MISSED
from holdfast.services.see_to_drills import DRILL_PASSED
from holdfast.services.watch_users import NEW_USERS_READY
from holdfast.specs.failure_domain import SHARED_FAILURE_DOMAIN
from holdfast.specs.health_status import HEALTHY, POINT_IN_TIME
from holdfast.specs.retention_status import RETENTION_COMPLIANT
from holdfast.specs.run_status import STALLED

ROOT = Path(__file__).parents[2]


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, text in documents().items():
        version = yaml.safe_load(text)["spec"]["versions"][0]
        yield name, version["schema"]["openAPIV3Schema"]


def nodes(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(f"{path}.{name}", child)
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from nodes(f"{path}[]", schema[name])


def test_the_committed_files_are_those_of_the_models() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "crds").glob("*.yaml")}
    assert committed == documents(), "crds/ is stale: run holdfast crds --output crds"


def test_every_field_is_described() -> None:
    silent = [
        path
        for name, schema in schemas()
        for path, node in nodes(name, schema)
        if "description" not in node and not path.endswith((".metadata", "[]"))
    ]
    assert not silent


def test_every_condition_of_a_policy_is_told() -> None:
    told = BackupPolicyStatus.model_fields["conditions"].description or ""
    assert re.findall(r"(\w+): ", told) == [
        READY,
        STALLED,
        SHARED_FAILURE_DOMAIN,
        NOTIFICATIONS_READY,
        CHANNELS_READY,
        NEW_USERS_READY,
        TEMPLATES_READY,
        HEARTBEAT_READY,
        RETENTION_COMPLIANT,
        DRILL_PASSED,
        SCHEDULE_MISSED,
        POINT_IN_TIME,
        HEALTHY,
    ]


def test_every_node_has_one_type_and_nothing_that_is_not_structural() -> None:
    for name, schema in schemas():
        for path, node in nodes(name, schema):
            assert ("type" in node) != bool(node.get("x-kubernetes-int-or-string")), path
            assert not {"$ref", "$defs", "title", "oneOf", "allOf"} & set(node), path


def test_a_default_never_holds_null() -> None:
    def nulls(value: Any) -> bool:
        if isinstance(value, dict):
            return any(nulls(child) for child in value.values())
        return value is None

    for name, schema in schemas():
        for path, node in nodes(name, schema):
            assert not nulls(node.get("default", {})), path


def test_an_object_without_a_status_is_not_ready_to_kstatus() -> None:
    for _, schema in schemas():
        assert schema["properties"]["status"]["default"] == {"observedGeneration": -1}


def test_age_is_the_last_column_that_is_always_shown() -> None:
    for text in documents().values():
        columns = yaml.safe_load(text)["spec"]["versions"][0]["additionalPrinterColumns"]
        always = [one["name"] for one in columns if one["priority"] == 0]
        assert [one["name"] for one in columns][: len(always)] == always
        assert always[-1] == "Age"
        assert columns[-1]["name"].lower().endswith("message")


def test_the_sample_is_a_policy_for_the_six_collections() -> None:
    body = yaml.safe_load((ROOT / "manifests" / "samples" / "timetrack.yaml").read_text(encoding="utf-8"))
    policy = BackupPolicy.model_validate(body)
    assert len(policy.spec.source.collections) == 6
    assert (policy.spec.schedule.cron, policy.spec.schedule.time_zone) == ("0 2 * * *", "Etc/UTC")


def test_the_sample_run_is_manual() -> None:
    body = yaml.safe_load((ROOT / "manifests" / "samples" / "run.yaml").read_text(encoding="utf-8"))
    body["metadata"]["name"] = "x"
    assert BackupRun.model_validate(body).spec.reason == "Manual"


@pytest.mark.parametrize("field", ["tolerations", "collections"])
def test_lists_say_how_they_merge(field: str) -> None:
    kinds = [
        node.get("x-kubernetes-list-type")
        for name, schema in schemas()
        for path, node in nodes(name, schema)
        if path.endswith(f".{field}") and node["type"] == "array"
    ]
    assert kinds
    assert all(kinds)
