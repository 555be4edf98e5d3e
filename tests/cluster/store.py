"""containerd's store: images, containers and their processes, by way of ``ctr``."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.layout import PAUSE_IMAGE, Layout
from tests.cluster.progress import step
from tests.cluster.tools import locate

_NAMESPACE = "k8s.io"
_TIMEOUT = 120.0


class Store:
    """The images and containers that the node sees."""

    def __init__(self, where: Layout) -> None:
        """Talk to the containerd of this layout."""
        self._where = where

    def answers(self) -> bool:
        """Tell whether containerd answers."""
        return self._where.containerd_socket.exists() and self._ctr("version", timeout=5).returncode == 0

    def images(self) -> list[str]:
        """Return the names of the images, as containerd writes them out in full."""
        return self._lines("images", "list", "--quiet")

    def has(self, image: str) -> bool:
        """Tell whether an image is there, by its short name or its full one."""
        return full_name(image) in self.images()

    def load(self, archive: Path) -> None:
        """Import the images of an archive made by ``buildah push docker-archive:``."""
        self._must("images", "import", str(archive))

    def load_waiting(self) -> None:
        """Import the images that were built while no node ran, and remove their archives."""
        for archive in sorted(self._where.archives.glob("*.tar")):
            with step(f"Importing the image {archive.stem}"):
                self.load(archive)
            archive.unlink()

    def remove_image(self, image: str) -> None:
        """Remove an image by all the names that lead to it, for any one of them would keep its layers."""
        # Each line begins: name, media type, digest.
        rows = [line.split()[:3] for line in self._must("images", "list").splitlines()[1:]]
        digests = {row[2] for row in rows if row[0] == full_name(image)}
        if names := [row[0] for row in rows if row[2] in digests]:
            self._must("images", "remove", *names)

    def ensure_pause(self) -> None:
        """Make the image of the container that holds a pod's namespaces, unless it is there."""
        archive = self._where.images / "pause.tar"
        data = (self._where.bin / "pause").read_bytes()
        mark = self._where.images / "pause.stamp"
        digest = hashlib.sha256(data).hexdigest()
        if self.has(PAUSE_IMAGE) and mark.exists() and mark.read_text() == digest:
            return
        write_image(archive, PAUSE_IMAGE, {"pause": data}, {"Entrypoint": ["/pause"], "User": "65535:65535"})
        self.load(archive)
        archive.unlink()
        mark.write_text(digest)

    def clear(self) -> None:
        """End and remove every container, so that none of an earlier start is left."""
        for task in self._lines("tasks", "list", "--quiet"):
            self._ctr("tasks", "delete", "--force", task)
        containers = self._lines("containers", "list", "--quiet")
        if containers:
            self._ctr("containers", "delete", *containers)

    def _lines(self, *words: str) -> list[str]:
        """Return the lines of a list."""
        return self._must(*words).split()

    def _must(self, *words: str) -> str:
        """Run ``ctr`` and return what it wrote, or raise ClusterError."""
        result = self._ctr(*words)
        if result.returncode != 0:
            raise ClusterError(f"ctr {' '.join(words)} failed: {result.stderr.strip()}")
        return result.stdout

    def _ctr(self, *words: str, timeout: float = _TIMEOUT) -> subprocess.CompletedProcess[str]:
        """Run ``ctr`` in the namespace of Kubernetes."""
        address = str(self._where.containerd_socket)
        command = [str(locate("ctr")), "--address", address, "--namespace", _NAMESPACE, *words]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, 1, "", f"no answer in {timeout:.0f} s")


def full_name(image: str) -> str:
    """Return an image's name with its registry, as the node resolves a short one."""
    first, slash, _ = image.partition("/")
    if not slash:
        return f"docker.io/library/{image}"
    return image if "." in first or ":" in first or first == "localhost" else f"docker.io/{image}"


def write_image(archive: Path, name: str, files: Mapping[str, bytes], settings: Mapping[str, object]) -> None:
    """Write an image archive with just these files in it. ``settings``: the image's ``config``."""
    layer = _tar({path: (data, 0o755) for path, data in files.items()})
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode()
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(
        _tar({"manifest.json": (manifest, 0o644), "config.json": (config, 0o644), "layer.tar": (layer, 0o644)})
    )


def _tar(files: dict[str, tuple[bytes, int]]) -> bytes:
    """Return a tar archive, the same for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (data, mode) in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
