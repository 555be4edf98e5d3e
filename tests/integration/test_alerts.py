"""The alerts of the chart, and the names of what is measured, as Prometheus' own tool judges them."""

import json
import shutil
from pathlib import Path

from holdfast.metrics.prometheus import Prometheus
from holdfast.ports import BACKUP_POLICY
from holdfast.services.census import Census
from holdfast.specs.series import FAMILIES
from tests.support.fake_cluster import FakeClock
from tests.support.kube_objects import policy_body
from tests.support.promtool import check

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "charts" / "holdfast" / "files" / "alerts.yaml"


def test_names_and_help_follow_the_conventions() -> None:
    census = Census(FakeClock())
    census.note(BACKUP_POLICY, policy_body())
    metrics = Prometheus(FAMILIES, census.samples)
    metrics.took("BackupRun", 1)
    metrics.failed("BackupRun", "ClusterUnavailable")
    result = check("check", "metrics", stdin=metrics.text())
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_the_rules_can_be_read() -> None:
    result = check("check", "rules", ALERTS)
    assert result.returncode == 0, result.stderr
    assert "9 rules found" in result.stdout


def test_the_queries_of_the_dashboard_can_be_read(tmp_path: Path) -> None:
    panels = json.loads((ALERTS.parent / "dashboard.json").read_text())["panels"]
    queries = [one["expr"] for panel in panels for one in panel["targets"]]
    rules = [{"record": f"query{number}", "expr": query} for number, query in enumerate(queries)]
    path = tmp_path / "queries.yaml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    result = check("check", "rules", path)
    assert result.returncode == 0, result.stderr
    assert f"{len(queries)} rules found" in result.stdout


def test_each_alert_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    shutil.copy(ALERTS, tmp_path)
    tests = shutil.copy(ROOT / "tests" / "alerts" / "alerts_test.yaml", tmp_path)
    result = check("test", "rules", tests)
    assert result.returncode == 0, result.stdout + result.stderr
