"""When the cluster's programs are built anew, and with which versions."""

from pathlib import Path

import pytest

from tests.cluster import tools
from tests.cluster.layout import Layout
from tests.cluster.tools import TOOLS, Tool

_KUBECTL = next(tool for tool in TOOLS if tool.name == "kubectl")
_HELM = next(tool for tool in TOOLS if tool.name == "helm")


def test_every_tool_has_a_pinned_module() -> None:
    for tool in TOOLS:
        assert (tools.MODULES / tool.module / "go.mod").is_file()
        assert (tools.MODULES / tool.module / "go.sum").is_file()


def test_link_flags_carry_the_pinned_versions() -> None:
    version = tools.module_version("controlplane", "k8s.io/kubernetes")
    assert f"-X k8s.io/component-base/version.gitVersion={version}" in tools.link_flags(_KUBECTL)
    assert "-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1" in tools.link_flags(_HELM)
    assert "-X helm.sh/helm/v3/internal/version.version=v3." in tools.link_flags(_HELM)


def test_node_and_control_plane_are_of_one_version() -> None:
    pinned = {tools.module_version(module, "k8s.io/kubernetes") for module in ("controlplane", "node")}
    assert len(pinned) == 1


def test_stamp_changes_with_go_and_with_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = Tool("pause", "addons", "./pause")
    monkeypatch.setattr(tools, "MODULES", tmp_path)
    (tmp_path / "addons").mkdir()
    (tmp_path / "addons" / "go.mod").write_text("module a\n")
    before = tools.stamp(tool, "1.26.0")
    assert tools.stamp(tool, "1.26.0") == before
    assert tools.stamp(tool, "1.26.1") != before
    (tmp_path / "addons" / "go.mod").write_text("module b\n")
    assert tools.stamp(tool, "1.26.0") != before


def test_a_tool_is_missing_until_its_stamp_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "go_version", lambda: "1.26.0")
    where = Layout(tmp_path)
    (where.bin / ".stamps").mkdir(parents=True)
    assert [tool.name for tool in tools.missing_tools(where, ["kubectl"])] == ["kubectl"]
    (where.bin / "kubectl").touch()
    (where.bin / ".stamps" / "kubectl").write_text(tools.stamp(_KUBECTL, "1.26.0"))
    assert tools.missing_tools(where, ["kubectl"]) == []
    (where.bin / ".stamps" / "kubectl").write_text("another")
    assert [tool.name for tool in tools.missing_tools(where, ["kubectl"])] == ["kubectl"]


@pytest.mark.parametrize(
    ("older", "newer"), [("1.9", "1.10"), ("1.25.9", "1.26.0"), ("1.26rc1", "1.26.1"), ("1.26", "1.26.1")]
)
def test_versions_compare_as_numbers(older: str, newer: str) -> None:
    assert tools.version_key(older) < tools.version_key(newer)
