"""Helm as it is pinned here, built on first use. ``python -m tests.support.helm`` prints where it is."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.errors import ClusterError
from tests.cluster.layout import layout
from tests.cluster.lock import locked
from tests.cluster.tools import build_tools

NAME = "helm"


class HelmFailed(Exception):
    """Helm refused; the message is what it said."""


def helm_program(name: str = NAME) -> Path:
    """The path of Helm; ``helm4`` is its next major version. ClusterError if it cannot be built."""
    where = layout()
    with locked(where):
        build_tools(where, [name])
    return where.bin / name


def helm(program: Path, *arguments: str) -> str:
    """What a command of Helm prints. HelmFailed if it fails."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise HelmFailed(done.stdout + done.stderr)
    return done.stdout


def objects_in(text: str) -> list[dict[str, Any]]:
    """The Kubernetes objects of a file of manifests."""
    return [body for body in yaml.safe_load_all(text) if body]


def main() -> int:
    """Print the path, or one sentence that says why there is none."""
    try:
        print(helm_program())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
