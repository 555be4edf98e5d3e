"""What lies beside the code agrees with it: the chart's values, versions, make's help, links."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.version import VERSION

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "holdfast"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
SECTIONS = ("image", "crds", "rbac", "mail", "smtp", "channels", "metrics", "web")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_helm_keeps_every_crd() -> None:
    crds = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (CHART / "crds-generated").glob("*.yaml")]
    assert crds
    assert {crd["metadata"]["annotations"]["helm.sh/resource-policy"] for crd in crds} == {"keep"}


def test_the_schema_knows_the_values_and_no_others() -> None:
    # Helm itself adds `global`.
    assert set(SCHEMA["properties"]) == {*VALUES, "global"}
    for section in SECTIONS:
        assert set(SCHEMA["properties"][section]["properties"]) == set(VALUES[section])
        assert SCHEMA["properties"][section]["additionalProperties"] is False
    assert SCHEMA["additionalProperties"] is False


def test_every_value_says_what_it_is() -> None:
    # The parts of `resources` are Kubernetes' own, and a section is explained by its parts.
    lines = (CHART / "values.yaml").read_text(encoding="utf-8").splitlines()
    for name, value in VALUES.items():
        [start] = [number for number, line in enumerate(lines) if line.startswith(f"{name}:")]
        if name not in SECTIONS:
            assert lines[start - 1].startswith("# "), f"{name} has no comment"
            continue
        for part in value:
            # Of another section too there may be a part of that name.
            number = next(n for n in range(start, len(lines)) if lines[n].startswith(f"  {part}:"))
            assert lines[number - 1].lstrip().startswith("# "), f"{name}.{part} has no comment"


def test_there_is_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    label = re.search(r'image\.version="([^"]+)"', (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    kustomization = yaml.safe_load((ROOT / "manifests/default/kustomization.yaml").read_text(encoding="utf-8"))
    assert label
    assert {VERSION, chart["version"], chart["appVersion"], label[1], kustomization["images"][0]["newTag"]} == {project}


def test_make_explains_itself() -> None:
    done = subprocess.run(["make", "--directory", ROOT], capture_output=True, text=True, check=True)
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (\S+)$", text, re.MULTILINE)) - {"environment", "audit-where-possible"}
    assert set(re.findall(r"^  make (\S+) +\S", done.stdout, re.MULTILINE)) == targets


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_a_page_on_the_code_names_files_that_are_there(page: str) -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", (ROOT / page).read_text(encoding="utf-8")))
    there = [f"/{path.relative_to(ROOT)}" for room in ("operator", "tests") for path in (ROOT / room).glob("**/*.py")]
    assert named
    assert not [name for name in named if not any(path.endswith(f"/{name}") for path in there)]


def test_every_page_is_in_the_menu() -> None:
    named = re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(str(page.relative_to(ROOT / "docs")) for page in ROOT.glob("docs/**/*.md"))


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"(`+).+?\1", "", page.read_text(encoding="utf-8"))  # code may look like a link
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert not [link for link in links if not (page.parent / link).exists()]
