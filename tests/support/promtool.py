"""The real promtool, from the Debian package of Prometheus; the package is unpacked, not installed."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.cache import cache_directory, install_once

PACKAGE = "prometheus"


class PromtoolError(Exception):
    """It cannot be had; the message is one sentence."""


def promtool() -> Path:
    """The program. PromtoolError if Debian's archive does not give it."""
    return install_once(cache_directory() / "promtool", _unpack) / "promtool"


def check(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run it, and let the caller look at what it says."""
    return subprocess.run(
        [promtool(), *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )


def _unpack(directory: Path) -> None:
    _run(["apt-get", "update"], directory)
    # As root, apt downloads as a user of its own where that may write; said, or it warns.
    _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", PACKAGE], directory)
    [package] = directory.glob(f"{PACKAGE}_*.deb")
    unpacked = directory / "unpacked"
    _run(["dpkg-deb", "--extract", str(package), str(unpacked)], directory)
    (unpacked / "usr" / "bin" / "promtool").rename(directory / "promtool")
    package.unlink()
    shutil.rmtree(unpacked)


def _run(command: Sequence[str], directory: Path) -> None:
    result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if result.returncode:
        raise PromtoolError(f"{' '.join(command)} failed: {result.stderr.strip()[-300:]}")
