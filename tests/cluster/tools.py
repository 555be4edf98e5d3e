"""The cluster's own programs, built from pinned Go modules.

Each folder below ``modules/`` pins one group of programs by its go.mod and go.sum. A program is built when its stamp,
a hash of everything that goes into it, differs from the one left by the last build.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.progress import output_of, run, say, step

MODULES = Path(__file__).parent / "modules"
_KUBERNETES_VERSIONS = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
# Without cgo no C compiler is needed; flags from the user's environment must not change what is built.
_GO_ENV = {"GOWORK": "off", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}


@dataclass(frozen=True)
class Tool:
    """One program: its name, the folder that pins it, and the Go package that it is built from."""

    name: str
    module: str
    package: str


# In the order in which they are built. Another one, such as a later Helm, is one more line and its folder.
TOOLS = (
    Tool("etcd", "controlplane", "go.etcd.io/etcd/server/v3"),
    Tool("kube-apiserver", "controlplane", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Tool("kube-controller-manager", "controlplane", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Tool("kube-scheduler", "controlplane", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Tool("kubectl", "controlplane", "k8s.io/kubernetes/cmd/kubectl"),
    Tool("kubelet", "node", "k8s.io/kubernetes/cmd/kubelet"),
    Tool("kube-proxy", "node", "k8s.io/kubernetes/cmd/kube-proxy"),
    Tool("coredns", "addons", "./coredns"),
    Tool("pause", "addons", "./pause"),
    Tool("helm", "helm", "helm.sh/helm/v3/cmd/helm"),
    # In one module with the other, so that what both are made of is compiled once.
    Tool("helm4", "helm", "helm.sh/helm/v4/cmd/helm"),
)
_ALL = tuple(tool.name for tool in TOOLS)


def build_tools(where: Layout, names: Iterable[str] = _ALL) -> None:
    """Build those of the named programs whose stamp says that they are missing or out of date."""
    missing = missing_tools(where, names)
    if not missing:
        return
    version = check_go()
    where.bin.mkdir(parents=True, exist_ok=True)
    say("Building the cluster's programs: about ten minutes the first time, one with a warm Go cache")
    for tool in missing:
        with step(f"Building {tool.name}"):
            _stamp_file(where, tool).unlink(missing_ok=True)
            command: list[str | Path] = ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags", link_flags(tool)]
            run(
                [*command, "-o", where.bin / tool.name, tool.package],
                log=where.build_logs / f"build-{tool.name}.log",
                what=f"Building {tool.name}",
                env=_GO_ENV,
                cwd=MODULES / tool.module,
            )
            _stamp_file(where, tool).parent.mkdir(exist_ok=True)
            _stamp_file(where, tool).write_text(stamp(tool, version))


def missing_tools(where: Layout, names: Iterable[str] = _ALL) -> list[Tool]:
    """Return those of the named programs that have to be built."""
    version = go_version()
    wanted = set(names)
    return [tool for tool in TOOLS if tool.name in wanted and not _is_current(where, tool, version)]


def stamp(tool: Tool, version: str) -> str:
    """Return the hash of all that goes into a program: its module's files, Go's version and the link flags."""
    digest = hashlib.sha256(f"{version}\n{tool.package}\n{link_flags(tool)}\n".encode())
    folder = MODULES / tool.module
    for path in sorted(folder.rglob("*")):
        if path.name in {"go.mod", "go.sum"} or path.suffix == ".go":
            digest.update(f"{path.relative_to(folder)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def link_flags(tool: Tool) -> str:
    """Return the linker's flags: the upstream releases set their versions by them, and charts ask for those."""
    values: dict[str, str] = {}
    if tool.package.startswith("k8s.io/kubernetes/"):
        version = module_version(tool.module, "k8s.io/kubernetes")
        major, minor = version.removeprefix("v").split(".")[:2]
        for place in _KUBERNETES_VERSIONS:
            values |= {f"{place}.gitVersion": version, f"{place}.gitMajor": major, f"{place}.gitMinor": minor}
    if tool.name.startswith("helm"):
        module = tool.package.removesuffix("/cmd/helm")
        values[f"{module}/internal/version.version"] = module_version(tool.module, module)
        # Helm's own rule: the library's version 0.x is Kubernetes 1.x. Helm 4 finds that out by itself.
        minor = module_version(tool.module, "k8s.io/client-go").split(".")[1]
        for place in ("pkg/chartutil", "pkg/lint/rules"):
            values |= {f"{module}/{place}.k8sVersionMajor": "1", f"{module}/{place}.k8sVersionMinor": minor}
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


def module_version(module: str, dependency: str) -> str:
    """Return the version of a dependency that a folder's go.mod pins."""
    text = (MODULES / module / "go.mod").read_text()
    found = re.search(rf"^\s*(?:require )?{re.escape(dependency)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ClusterError(f"The file {MODULES / module / 'go.mod'} does not pin {dependency}.")
    return found[1]


def go_version() -> str:
    """Return the version of the Go on PATH, such as ``1.26.1``, or nothing when there is none."""
    if shutil.which("go") is None:
        return ""
    return output_of(["env", "GOTOOLCHAIN=local", "go", "env", "GOVERSION"], what="go env").strip().removeprefix("go")


def check_go() -> str:
    """Return Go's version, or raise ClusterError when it is missing or older than the modules ask for."""
    version = go_version()
    wanted = max((_go_line(folder) for folder in MODULES.iterdir() if folder.is_dir()), key=version_key)
    if not version:
        raise ClusterError(
            f"Go {wanted} or newer is needed to build the cluster's programs, and there is no go on PATH."
        )
    if version_key(version) < version_key(wanted):
        raise ClusterError(f"Go {wanted} or newer is needed to build the cluster's programs; go on PATH is {version}.")
    return version


def version_key(version: str) -> tuple[int, ...]:
    """Return a version as numbers that compare, leaving out what follows them (``1.27rc1`` is 1.27)."""
    return tuple(int(number) for number in re.findall(r"\d+", re.split(r"[a-z -]", version)[0]))


def locate(name: str) -> Path:
    """Return the path of a program that a Debian package brought."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise ClusterError(f"The program {name} is not on this machine: run `python -m tests.cluster up` first.")
    return Path(found)


def _go_line(folder: Path) -> str:
    """Return the Go version that a module asks for."""
    found = re.search(r"^go (\S+)", (folder / "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else "1.0"


def _is_current(where: Layout, tool: Tool, version: str) -> bool:
    """Tell whether a program is there and its stamp fits; without Go, whatever was built is good enough."""
    left = _stamp_file(where, tool)
    if not (where.bin / tool.name).exists() or not left.exists():
        return False
    return not version or left.read_text() == stamp(tool, version)


def _stamp_file(where: Layout, tool: Tool) -> Path:
    """Return where the stamp of a program lies."""
    return where.bin / ".stamps" / tool.name
