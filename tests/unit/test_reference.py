"""The pages that tell the fields of the resources."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from holdfast.cli.fields import pages
from holdfast.resources.crd import documents

PAGES = pages()
POLICY = PAGES["reference/backuppolicy.md"]


def section(page: str, heading: str) -> str:
    return page.split(f"\n## {heading}\n", 1)[1].partition("\n## ")[0]


def line(page: str, heading: str, field: str) -> str:
    (found,) = [
        one for one in section(page, heading).splitlines() if one.startswith((f"- `{field}`", f"- [`{field}`]"))
    ]
    return found


def fields(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each field: the heading below which it is looked for, and its name."""
    for name, child in schema.get("properties", {}).items():
        yield path, name
        yield from fields(f"{path}.{name}", child)
        yield from fields(f"{path}.{name}[]", child.get("items", {}))


@pytest.mark.parametrize("plural", ["backuppolicies", "backupruns", "restoreruns"])
def test_every_field_has_a_line_below_its_object(plural: str) -> None:
    crd = yaml.safe_load(documents()[f"{plural}.yaml"])
    page = PAGES[f"reference/{crd['spec']['names']['singular']}.md"]
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    told = [line(page, heading, name) for part in ("spec", "status") for heading, name in fields(part, schema[part])]
    assert all(": " in one for one in told)


def test_a_field_says_whether_it_is_needed_its_default_and_its_limits() -> None:
    assert line(POLICY, "spec.schedule", "cron").startswith("- `cron` (string, needed): Five cron fields")
    assert line(POLICY, "spec.schedule", "cron").endswith("*1 to 200 characters.*")
    assert "(string, default `Etc/UTC`)" in line(POLICY, "spec.schedule", "timeZone")
    assert line(POLICY, "spec.compression", "level").endswith("*1 to 19.*")
    assert line(POLICY, "spec.source", "maxBytesPerSecond").endswith("*At least 1048576.*")


def test_a_field_says_what_it_may_be() -> None:
    assert "(`Required` or `Preferred` or `None`, default `Preferred`)" in line(POLICY, "spec.source", "consistency")
    assert "(map of amount, default" in line(POLICY, "spec.job.resources", "requests")
    assert "(list of string)" in line(POLICY, "spec.source", "collections")
    assert "(time)" in line(POLICY, "status", "nextScheduleTime")


def test_a_field_with_parts_leads_to_them() -> None:
    assert line(POLICY, "spec", "source").startswith("- [`source`](#specsource) (object, needed)")
    assert line(POLICY, "spec.job", "tolerations").startswith("- [`tolerations`](#specjobtolerations) (list of object)")


def test_a_pattern_may_hold_a_backtick() -> None:
    assert "matching ``^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+" in line(
        POLICY, "spec.notifications.email.recipients[]", "address"
    )


def test_what_fields_must_have_between_them_is_told() -> None:
    assert "- storage takes exactly one kind of store: mongodb, s3, gcs, azure, volume" in section(
        POLICY, "spec.storage"
    )


def test_the_columns_are_told() -> None:
    assert "| LAST SUCCESS | `.status.lastSuccessfulRun.completionTime` |" in section(POLICY, "Columns")
    assert "| LAST RUN (wide) | `.status.lastRun.phase` |" in section(POLICY, "Columns")
