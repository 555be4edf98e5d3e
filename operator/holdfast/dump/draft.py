"""Output that gets its name when it is whole. Until then it lies beside it, under a name that begins with a dot."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from holdfast.errors import InvalidSpec


@contextmanager
def draft_of_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write; it becomes ``path`` at the end, and vanishes on an error. Its owner alone may read it.

    InvalidSpec if ``path`` is there already, or its directory is not.
    """
    _check(path)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    draft = Path(name)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 (a handle, not a path)
            yield file
            if not file.closed:
                file.flush()
                os.fsync(file.fileno())
        _check(path)
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def draft_of_directory(path: Path) -> Iterator[Path]:
    """The same for a directory."""
    _check(path)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent))
    try:
        yield draft
        _check(path)
        draft.rename(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise InvalidSpec(f"{path} is there already, and nothing is written over.", hint="Name another output.")
    if not path.parent.is_dir():
        raise InvalidSpec(f"{path.parent} is no directory.", hint="Make it first, or name another output.")
