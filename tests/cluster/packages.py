"""Programs that come as Debian packages, installed when they are missing."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.layout import Layout
from tests.cluster.lock import alone
from tests.cluster.progress import run, say, step

# The program that tells whether a package is there. Full paths where a program is not on PATH.
_PROGRAMS = {
    "buildah": "buildah",
    "containerd": "containerd",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "debootstrap": "debootstrap",
    "iproute2": "ip",
    "nftables": "nft",
    "runc": "runc",
}
_POLICY = Path("/usr/sbin/policy-rc.d")
_INSTALL = ("apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "--yes", "--no-install-recommends")


def missing_packages() -> list[str]:
    """Return the packages whose program is not on this machine."""
    return [package for package, program in _PROGRAMS.items() if not _is_there(program)]


def install_packages(where: Layout) -> None:
    """Install what is missing, without starting any service that a package brings."""
    install(where, missing_packages, "packages")


def install(where: Layout, missing: Callable[[], Sequence[str]], name: str) -> None:
    """Install the Debian packages that are missing, after whoever is at it, and start no service that one brings.

    ``name`` is the log's. Raise ClusterError, with the log's last lines, if that fails.
    """
    if not missing():
        return
    log = where.build_logs / f"{name}.log"
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with alone(where.root / "packages.lock", "another command that installs packages"), _no_services():
        if packages := missing():
            with step(f"Installing Debian packages: {' '.join(packages)}"):
                run(["apt-get", "update"], log=log, what="apt-get update", env=quiet)
                run([*_INSTALL, *packages], log=log, what="apt-get install", env=quiet)


def _is_there(program: str) -> bool:
    """Tell whether a program, or a file by its full path, exists."""
    return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None


@contextmanager
def _no_services() -> Iterator[None]:
    """Keep package scripts from starting services, as Debian's policy layer allows."""
    if _POLICY.exists():
        yield
        return
    say(f"Forbidding the start of services for the time of the installation ({_POLICY})")
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
