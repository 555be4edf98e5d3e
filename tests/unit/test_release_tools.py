"""What goes with a release: its notes, the list of what is in it, and whether any of that is known to be weak."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support import audit, release_notes
from tests.support.audit import Finding, judge
from tests.support.release_notes import NoNotes, notes

ROOT = Path(__file__).parents[2]
CHANGELOG = """# Changelog

## Unreleased
### Added
- Something.

## [0.2.0] - 2026-12-24
### Fixed
- A fault.

### Added
- A thing.

## 0.1.0
"""


# --- notes ------------------------------------------------------------------------------------------------------------


def test_the_notes_are_the_section_of_the_version_and_nothing_else() -> None:
    assert notes(CHANGELOG, "0.2.0") == "### Fixed\n- A fault.\n\n### Added\n- A thing.\n"
    assert notes(CHANGELOG, "v0.2.0") == notes(CHANGELOG, "0.2.0")
    assert notes(CHANGELOG, "Unreleased") == "### Added\n- Something.\n"


@pytest.mark.parametrize(
    ("version", "said"), [("0.3.0", "no section 0.3.0; it has Unreleased, 0.2.0, 0.1.0"), ("0.1.0", "says nothing")]
)
def test_a_version_without_notes_is_an_error(version: str, said: str) -> None:
    with pytest.raises(NoNotes, match=said):
        notes(CHANGELOG, version)


def test_our_changelog_can_be_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["release_notes", "Unreleased"])
    assert release_notes.main() == 0
    assert capsys.readouterr().out.startswith("### ")
    monkeypatch.setattr(sys, "argv", ["release_notes"])
    assert release_notes.main() == 2


# --- the bill of materials --------------------------------------------------------------------------------------------


def locked() -> dict[str, str]:
    text = (ROOT / "requirements" / "runtime.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, re.MULTILINE))


def test_the_bill_of_materials_names_all_that_is_locked_with_its_hashes(tmp_path: Path) -> None:
    command = ["make", "--silent", "-o", "setup", "sbom", f"SBOM={tmp_path / 'sbom.json'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    bill: dict[str, Any] = json.loads((tmp_path / "sbom.json").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    root = bill["metadata"]["component"]
    assert (bill["bomFormat"], root["name"], root["version"]) == ("CycloneDX", "holdfast", project["version"])
    assert {one["name"]: one["version"] for one in bill["components"]} == locked()
    for one in bill["components"]:
        assert any(reference.get("hashes") for reference in one["externalReferences"]), one["name"]


# --- the audit --------------------------------------------------------------------------------------------------------


def report(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


GOOD = {"name": "a", "version": "1", "vulns": []}
WEAK = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("text", "asked", "weak"),
    [
        (report(GOOD), True, False),
        (report(GOOD, WEAK), True, True),
        (report(UNKNOWN), False, False),
        (report(GOOD, UNKNOWN), False, False),
        (report(WEAK, UNKNOWN), False, True),
        (report(), False, False),
        ("", False, False),
    ],
)
def test_only_an_answer_for_each_is_an_answer(text: str, asked: bool, weak: bool) -> None:
    found = judge(text, "requests.exceptions.ConnectionError: no route to pypi.org")
    assert (found.asked, found.weak) == (asked, weak)
    assert bool(found.lines) == (weak or not asked)


def test_a_weakness_is_named_with_what_mends_it() -> None:
    assert judge(report(WEAK), "").lines == ("b 2: PYSEC-1, mended in 3",)
    assert "no route to pypi.org" in judge("", "a\nConnectionError: no route to pypi.org\n").lines[0]


@pytest.mark.parametrize(
    ("found", "strict", "where_possible"),
    [
        (Finding(True, False, ()), 0, 0),
        (Finding(True, True, ("b 2: PYSEC-1",)), 1, 1),
        (Finding(False, False, ("The service did not answer.",)), 1, 0),
        (Finding(False, True, ("b 2: PYSEC-1",)), 1, 1),
    ],
)
def test_who_could_not_be_asked_is_said_and_never_called_good(
    found: Finding,
    strict: int,
    where_possible: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(audit, "audit", lambda _lock: found)
    for options, status in (([], strict), (["--where-possible"], where_possible)):
        monkeypatch.setattr(sys, "argv", ["audit", *options])
        assert audit.main() == status
        printed = capsys.readouterr()
        assert ("no known weakness" in printed.out) == (found.asked and not found.weak)
        assert ("NOT AUDITED" in printed.err) == (not found.asked and not found.weak)
