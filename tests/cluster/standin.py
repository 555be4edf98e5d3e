"""Stand-ins for public base images, made from Debian packages where no registry answers.

A stand-in has the same Debian and the same minor version of Python as the image that it stands for, but Debian's own
build of it. It also gets this machine's certificates and settings for pip, so that `RUN pip install` works wherever
pip works on this machine. All of that is in the stand-in only, never in the Dockerfile.
"""

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.buildah import Buildah
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.progress import run, step
from tests.cluster.store import full_name
from tests.cluster.tools import locate

# Raised when the way a stand-in is made changes, so that old ones are not taken.
_RECIPE = "1"
_REGISTRY_SECONDS = 3.0
_BUNDLE = Path("etc/ssl/certs/ca-certificates.crt")
_PYTHON_PACKAGES = ("ca-certificates", "netbase", "python3", "python3-pip", "python3-venv", "tzdata")
# What pip may be told: nothing that names a path of this machine.
_PIP_SETTINGS = {
    "default-timeout",
    "disable-pip-version-check",
    "extra-index-url",
    "index-url",
    "proxy",
    "retries",
    "timeout",
    "trusted-host",
}


@dataclass(frozen=True)
class StandIn:
    """What stands for an image: a Debian suite, and perhaps a version of Python in it."""

    suite: str
    python: str = ""

    @property
    def stamp(self) -> str:
        """Return the hash of all that goes into it."""
        parts = [_RECIPE, self.suite, self.python, _pip_configuration() if self.python else ""]
        return hashlib.sha256("\n".join(parts).encode() + _bundle()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """Return the name that it has in buildah's store."""
        return f"localhost/holdfast-stand-in:{self.stamp}"


def stand_in_for(image: str) -> StandIn:
    """Return what can stand for an image, or raise ClusterError when nothing made here can."""
    name = image.removeprefix("docker.io/").removeprefix("library/")
    if found := re.fullmatch(r"python:(\d+\.\d+)(?:\.\d+)?-(?:slim-)?([a-z]+)", name):
        return StandIn(found[2], found[1])
    if found := re.fullmatch(r"debian:([a-z]+)(?:-slim)?", name):
        return StandIn(found[1])
    raise ClusterError(
        f"No registry answers, and nothing can stand for the image {image}: only debian:SUITE and "
        "python:VERSION-slim-SUITE can be made from Debian packages."
    )


def registry_answers(image: str) -> bool:
    """Tell, within a few seconds, whether the registry of an image answers."""
    host = full_name(image).partition("/")[0]
    host = "registry-1.docker.io" if host == "docker.io" else host
    try:
        # A resolver that never answers would hold up Python itself, but not a process that can be ended.
        subprocess.run(
            ["getent", "ahosts", host.partition(":")[0]], capture_output=True, timeout=_REGISTRY_SECONDS, check=True
        )
        with urllib.request.urlopen(f"https://{host}/v2/", timeout=_REGISTRY_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        # A registry asks for a token; anything else comes from something in between.
        return error.code == 401
    except (OSError, subprocess.SubprocessError):
        return False


def make(where: Layout, buildah: Buildah, wanted: StandIn) -> str:
    """Make a stand-in, unless it is in buildah's store already, and return its name there."""
    if buildah.has(wanted.name):
        return wanted.name
    what = f"Debian {wanted.suite}" + (f" with Python {wanted.python}" if wanted.python else "")
    with step(f"Making the base image from packages: {what}"):
        container = buildah.output("from", "scratch")
        try:
            _fill(where, Path(buildah.output("mount", container)), wanted)
            buildah.output("unmount", container)
            path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            command = "python3" if wanted.python else "bash"
            buildah.output("config", "--env", f"PATH={path}", "--env", "LANG=C.UTF-8", "--cmd", command, container)
            buildah.output("commit", "--quiet", container, wanted.name)
        finally:
            buildah.output("rm", container)
    return wanted.name


def _fill(where: Layout, root: Path, wanted: StandIn) -> None:
    """Fill a root folder with Debian, and with what this machine knows about reaching others."""
    packages = _PYTHON_PACKAGES if wanted.python else ("ca-certificates",)
    command: list[str | Path] = [
        locate("debootstrap"),
        "--variant=minbase",
        f"--include={','.join(packages)}",
        wanted.suite,
        root,
    ]
    run(command, log=where.build_logs / "debootstrap.log", what="Making the base image by debootstrap")
    for leftover in (root / "var/cache/apt/archives", root / "var/lib/apt/lists"):
        shutil.rmtree(leftover)
        leftover.mkdir()
    (root / _BUNDLE).write_bytes(_bundle())
    if not wanted.python:
        return
    python = f"python{wanted.python}"
    if not (root / "usr/bin" / python).exists():
        raise ClusterError(f"Debian {wanted.suite} has no Python {wanted.python}, so it cannot stand for that image.")
    for link, target in {python: python, "python": python, "python3": python, "pip": "pip3", "pip3": "pip3"}.items():
        (root / "usr/local/bin" / link).symlink_to(f"/usr/bin/{target}")
    # Debian forbids pip to install beside its own packages; the public image does not.
    (root / "usr/lib" / python / "EXTERNALLY-MANAGED").unlink(missing_ok=True)
    (root / "etc/pip.conf").write_text(_pip_configuration())


def _bundle() -> bytes:
    """Return the certificates that this machine trusts."""
    path = ssl.get_default_verify_paths().cafile or str(Path("/") / _BUNDLE)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ClusterError(f"The certificates {path} cannot be read: {error.strerror}.") from error


def _pip_configuration() -> str:
    """Return a configuration for pip with this machine's settings, wherever it got them from."""
    result = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False, env=os.environ
    )
    return pip_configuration(result.stdout if result.returncode == 0 else "")


def pip_configuration(listed: str) -> str:
    """Return a configuration file from what ``pip config list`` wrote, less what would mean nothing in an image."""
    settings = {"cert": f"/{_BUNDLE}"}
    for line in listed.splitlines():
        found = re.fullmatch(r"(?:global|install|:env:)\.([a-z-]+)='(.*)'", line.strip())
        if found and found[1] in _PIP_SETTINGS:
            settings[found[1]] = found[2].replace("\\n", "\n    ")
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(settings.items()))
