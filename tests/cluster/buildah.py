"""buildah, with a store of its own, so that it meets no other user of the machine's."""

import json
import os
import subprocess
from pathlib import Path

from tests.cluster.layout import Layout
from tests.cluster.progress import output_of, run
from tests.cluster.tools import locate


class Buildah:
    """The program with its store below the folder of images."""

    def __init__(self, where: Layout) -> None:
        """Use the store of this layout."""
        store = where.images / "buildah"
        scratch = where.images / "buildah-run"
        self._logs = where.build_logs
        self._temporary = where.images / "tmp"
        self._configuration = where.images / "buildah.conf"
        self._command: list[str | Path] = [
            *(locate("buildah"), "--root", store, "--runroot", scratch, "--storage-driver", "overlay")
        ]

    def has(self, image: str) -> bool:
        """Tell whether an image is in the store."""
        command = [*self._command, "inspect", "--type", "image", image]
        result = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **self._environment()})
        return result.returncode == 0

    def output(self, *words: str) -> str:
        """Run a short command and return what it wrote."""
        return output_of([*self._command, *words], what=f"buildah {words[0]}", env=self._environment()).strip()

    def build(self, folder: Path, tag: str, *, pull: bool) -> None:
        """Build the Dockerfile in a folder; layers that were built before are taken again."""
        words = ["build", "--isolation", "chroot", "--layers", "--force-rm", "--tag", tag]
        words += ["--pull" if pull else "--pull-never", str(folder)]
        run(
            [*self._command, *words],
            log=self._logs / "image.log",
            what="Building the image",
            env=self._environment(),
        )

    def save(self, image: str, archive: Path) -> None:
        """Write an image to an archive, under its own full name."""
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.unlink(missing_ok=True)
        self.output("push", "--quiet", image, f"docker-archive:{archive}:{image}")

    def _environment(self) -> dict[str, str]:
        """Return what keeps buildah away from the machine's folders: /tmp may be small, and /etc is not ours."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        networks = json.dumps(str(self._temporary / "networks"))
        self._configuration.write_text(f"[network]\nnetwork_config_dir = {networks}\n")
        return {"TMPDIR": str(self._temporary), "CONTAINERS_CONF": str(self._configuration)}
