"""Programs that tests need: built from Go modules, or installed from an npm package, on first use.

Each folder below `servers/` pins those of one module or package.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.cache import cache_directory, install_once

FOLDERS = Path(__file__).with_name("servers")
# Without cgo no C compiler is needed; flags from the user's environment must not change what is built.
_GO_ENV = {"GOWORK": "off", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
_GO_BUILD = ("go", "build", "-trimpath", "-buildvcs=false", "-ldflags")
_NPM_INSTALL = ("npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error")


class ServerError(Exception):
    """A server could not be built, started or used; the message is one sentence."""


def go_program(name: str, package: str) -> Path:
    """A program of the Go module in the folder `name`. ServerError if it cannot be built."""
    return go_programs(name, {name: package}) / name


def go_programs(name: str, packages: Mapping[str, str], flags: str = "") -> Path:
    """The directory with the programs of the Go module in the folder `name`, each built from its package.

    `flags` are more of them for the linker. ServerError if one cannot be built.
    """

    def build(directory: Path) -> None:
        for program, package in packages.items():
            command = [*_GO_BUILD, f"-s -w {flags}".strip(), "-o", str(directory / program), package]
            _run(command, name, FOLDERS / name, "Go 1.26 or newer", _GO_ENV)

    return _installed(name, build)


def npm_script(name: str, script: str) -> Path:
    """A script of the npm package that the folder `name` pins. ServerError if it cannot be installed."""

    def install(directory: Path) -> None:
        for file in FOLDERS.joinpath(name).iterdir():
            shutil.copy(file, directory)
        _run(_NPM_INSTALL, name, directory, "Node 20 or newer (with npm)", {})

    return _installed(name, install) / "node_modules" / script


def _installed(name: str, install: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256()
    for file in sorted(FOLDERS.joinpath(name).iterdir()):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return install_once(cache_directory() / "servers" / f"{name}-{digest.hexdigest()[:16]}", install)


def _run(command: Sequence[str], name: str, folder: Path, needs: str, environment: Mapping[str, str]) -> None:
    if shutil.which(command[0]) is None:
        raise ServerError(f"{needs} is needed for {name}, and there is no {command[0]} on PATH.")
    done = subprocess.run(
        ["nice", *command], cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ServerError(f"{name} could not be installed: {' '.join(done.stderr.split()[-60:])}")
