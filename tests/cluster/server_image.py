"""An image of the mongod that the tests run on, for pods that want a server of their own.

It holds that program, the shared libraries that it asks for on this machine, and nothing else: no registry is needed.
"""

import hashlib
import os
import re
from pathlib import Path

from tests.cluster import external, node, processes
from tests.cluster.errors import ClusterError
from tests.cluster.layout import layout
from tests.cluster.lock import locked
from tests.cluster.progress import output_of, step
from tests.cluster.store import Store, full_name, write_image
from tests.support.mongod_binary import mongod_program

_NAME = "holdfast-mongod"
_PUBLIC = "mongo:6.0"


def mongod_image() -> str:
    """Give the running cluster an image with a `mongod` on its PATH, unless it is there, and return its name.

    A cluster of the user's own gets the public one, or the one that HOLDFAST_MONGOD_IMAGE names.
    """
    if external.kubeconfig() is not None:
        return os.environ.get("HOLDFAST_MONGOD_IMAGE", _PUBLIC)
    where = layout()
    if not processes.is_alive(where, node.CONTAINERD):
        raise ClusterError("The image of mongod is for a cluster that is up: run `python -m tests.cluster up`.")
    files = _files(mongod_program())
    image = f"{_NAME}:{_stamp(files)}"
    store = Store(where)
    with locked(where):
        if store.has(image):
            return image
        with step(f"Making the image {image}"):
            archive = where.archives / f"{image.replace(':', '-')}.tar"
            settings = {"Env": ["PATH=/bin", f"LD_LIBRARY_PATH={_folders(files)}"], "Cmd": ["mongod"]}
            content = {path.lstrip("/"): source.read_bytes() for path, source in files.items()}
            write_image(archive, full_name(image), content, settings)
            store.load(archive)
            archive.unlink()
    return image


def libraries_in(listed: str) -> list[str]:
    """The paths that ``ldd`` names: the shared libraries of a program, and what loads them.

    Raises ClusterError if one is missing.
    """
    if missing := re.search(r"^\s*(\S+) => not found", listed, re.MULTILINE):
        raise ClusterError(f"mongod needs the shared library {missing[1]}, which this machine does not have.")
    return re.findall(r"(/\S+) \(0x", listed)


def _files(program: Path) -> dict[str, Path]:
    """What goes into the image: path there, and file here."""
    libraries = libraries_in(output_of(["ldd", program], what="Asking for the libraries of mongod"))
    return {"/bin/mongod": program, **{path: Path(path) for path in libraries}}


def _folders(files: dict[str, Path]) -> str:
    return ":".join(sorted({str(Path(path).parent) for path in files if path != "/bin/mongod"}))


def _stamp(files: dict[str, Path]) -> str:
    """Of what says that a file is another one; their content takes too long to read each time."""
    known = [f"{path} {source.stat().st_size} {source.stat().st_mtime_ns}" for path, source in sorted(files.items())]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
