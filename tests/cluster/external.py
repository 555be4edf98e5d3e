"""The user's own cluster, instead of one made here: named by ``HOLDFAST_KUBECONFIG``."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.progress import say
from tests.cluster.tools import build_tools

_CLIENTS = ("kubectl", "helm")


def kubeconfig() -> Path | None:
    """Return the kubeconfig of the user's own cluster, or None when the cluster is made here."""
    value = os.environ.get("HOLDFAST_KUBECONFIG")
    return Path(value).absolute() if value else None


def host_address() -> str:
    """Return the address by which pods of the user's cluster reach this host."""
    value = os.environ.get("HOLDFAST_HOST_ADDRESS")
    if not value:
        raise ClusterError(
            "HOLDFAST_KUBECONFIG is set, so HOLDFAST_HOST_ADDRESS is needed too: "
            "the address by which pods of that cluster reach this host."
        )
    return value


def image() -> str:
    """Return the image that the user made available to the cluster."""
    value = os.environ.get("HOLDFAST_IMAGE")
    if not value:
        raise ClusterError(
            "HOLDFAST_KUBECONFIG is set, so HOLDFAST_IMAGE is needed too: an image that nodes of that cluster "
            "already have, for example by `kind load docker-image`."
        )
    return value


def clients(where: Layout) -> Path:
    """Return a folder with kubectl and helm: links to those on PATH, and builds of those that are not."""
    folder = where.root / "clients"
    folder.mkdir(parents=True, exist_ok=True)
    for name in _CLIENTS:
        found = shutil.which(name)
        if found is None:
            build_tools(where, [name])
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(found or where.bin / name)
    return folder


def check(where: Layout, config: Path) -> None:
    """Raise ClusterError unless the user's cluster answers that it is ready."""
    if not config.is_file():
        raise ClusterError(f"HOLDFAST_KUBECONFIG names {config}, which is not a file.")
    result = subprocess.run(
        [clients(where) / "kubectl", "--kubeconfig", config, "--request-timeout", "10s", "get", "--raw", "/readyz"],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0 or result.stdout.strip() != "ok":
        raise ClusterError(f"The cluster of {config} does not answer: {result.stderr.strip() or result.stdout.strip()}")
    say(f"Using the cluster of {config}")
