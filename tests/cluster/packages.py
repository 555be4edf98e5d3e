"""Programs that come as Debian packages, installed when they are missing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.layout import Layout
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


def missing_packages() -> list[str]:
    """Return the packages whose program is not on this machine."""
    return [package for package, program in _PROGRAMS.items() if not _is_there(program)]


def install_packages(where: Layout) -> None:
    """Install what is missing, without starting any service that a package brings."""
    missing = missing_packages()
    if not missing:
        return
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    with step(f"Installing Debian packages: {' '.join(missing)}"), _no_services():
        log = where.build_logs / "packages.log"
        run(["apt-get", "update"], log=log, what="apt-get update", env=quiet)
        run(
            ["apt-get", "install", "--yes", "--no-install-recommends", *missing],
            log=log,
            what="apt-get install",
            env=quiet,
        )


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
