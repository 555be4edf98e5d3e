"""The image of the repository's Dockerfile, built and given to the node."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

from tests.cluster import dockerfile, external, node, preflight, processes, standin
from tests.cluster.buildah import Buildah
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout, layout
from tests.cluster.lock import locked
from tests.cluster.packages import install_packages
from tests.cluster.progress import output_of, say, step
from tests.cluster.store import Store, full_name

REPOSITORY = Path(__file__).parents[2]
_NAME = "holdfast"
_KEPT = 5


def build_image(root: Path = REPOSITORY) -> str:
    """Build the Dockerfile in a folder, unless its inputs are those of an image that is there, and return its name.

    The image goes into the running cluster; when none runs, the next start takes it in.
    """
    if external.kubeconfig() is not None:
        return external.image()
    where = layout()
    preflight.check_machine(where, with_tools=False)
    recipe = root / "Dockerfile"
    if not recipe.is_file():
        raise ClusterError(f"There is no Dockerfile in {root}.")
    with locked(where):
        install_packages(where)
        text = recipe.read_text()
        stand_ins = {
            image: standin.stand_in_for(image)
            for image in dockerfile.base_images(text)
            if not standin.registry_answers(image)
        }
        # Where a registry answers, names are spelt out, for buildah has no default registry.
        bases = {image: full_name(image) for image in dockerfile.base_images(text)}
        bases |= {image: base.name for image, base in stand_ins.items()}
        text = dockerfile.rewrite(text, bases)
        files = input_files(root, dockerfile.copied_paths(text))
        image = f"{_NAME}:dev-{inputs_hash(root, text, files)}"
        archive = where.archives / f"{image.partition(':')[2]}.tar"
        store = Store(where) if processes.is_alive(where, node.CONTAINERD) else None
        if store.has(image) if store else archive.exists():
            say(f"The image {image} is there already")
            return image
        buildah = Buildah(where)
        for base in stand_ins.values():
            standin.make(where, buildah, base)
        with step(f"Building the image {image}"), tempfile.TemporaryDirectory(dir=_folder(where)) as folder:
            _stage(root, Path(folder), text, files)
            buildah.build(Path(folder), full_name(image), pull=len(bases) > len(stand_ins))
            buildah.save(full_name(image), archive)
        if store:
            store.load_waiting()
        _forget_old(where, buildah, store, image)
    return image


def input_files(root: Path, paths: list[str]) -> list[str]:
    """Return the files below ``paths`` that belong to the repository: tracked or new, but not ignored.

    Only these get into the build, so that what is hashed is exactly what is built.
    """
    if not paths:
        return []
    patterns = [f":(glob){path.removeprefix('./').strip('/')}" if path.strip("./") else "." for path in paths]
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = output_of(command, what="Listing the files of the build by git").split("\0")
    return sorted({name for name in [*listed, ".dockerignore"] if name and (root / name).is_file()})


def inputs_hash(root: Path, text: str, files: list[str]) -> str:
    """Return the hash of a Dockerfile and of the files that it copies: their names, modes and content."""
    digest = hashlib.sha256(text.encode())
    for name in files:
        path = root / name
        mode = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"\0{name}\0{mode}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _stage(root: Path, folder: Path, text: str, files: list[str]) -> None:
    """Lay out the folder that is built: the rewritten Dockerfile and the hashed files."""
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, target)
        target.chmod(0o755 if (root / name).stat().st_mode & 0o100 else 0o644)
    (folder / "Dockerfile").write_text(text)


def _folder(where: Layout) -> Path:
    """Return the folder for temporary files, which may be large."""
    folder = where.images / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _forget_old(where: Layout, buildah: Buildah, store: Store | None, newest: str) -> None:
    """Remove all but the last few images that were built here, so that they do not pile up."""
    record = where.images / "built.json"
    built: list[str] = json.loads(record.read_text()) if record.exists() else []
    built = [image for image in built if image != newest] + [newest]
    for image in built[:-_KEPT]:
        if store and store.has(image):
            store.remove_image(image)
        if buildah.has(full_name(image)):
            buildah.output("rmi", full_name(image))
    record.write_text(json.dumps(built[-_KEPT:] if store else built))
