"""A repository in a directory: one file for each object.

A file appears under its key whole and on disk, or not at all: it is written and synced under a name of its own, then
linked to its key, which fails where the key exists (link(2)). Names that begin with a dot are such unfinished files.
"""

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

from holdfast.errors import InvalidSpec, NotAuthorized, StoreFull, StoreUnavailable
from holdfast.ports import Labels

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class FileStore:
    """Objects as files below ``root``, which must exist: a missing mount must not become an empty repository."""

    def __init__(self, root: Path, name: str = "") -> None:
        """``name`` is what messages call the place, if not by its path."""
        self._root = root
        self.address = name or f"directory {root}"
        with self._told():
            if not root.is_dir():
                raise InvalidSpec(f"There is no directory {root}.", hint="Create it, or mount what belongs there.")

    @classmethod
    def on_volume(cls, mount: Path, folder: str, *, name: str) -> "FileStore":
        """A store in a folder of a volume, which is made if it is not there; the mount itself must be there."""
        volume = cls(mount, name)
        with volume._told():
            root = mount.joinpath(folder)
            root.mkdir(parents=True, exist_ok=True)
            volume._sync_directories(root)
        return cls(root, name)

    def create(self, key: str, data: bytes, labels: Labels | None = None) -> bool:
        del labels
        path = self._path(key)
        with self._told():
            if path.exists():
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.parent / f".{token_hex(8)}"
            try:
                with draft.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    os.link(draft, path)
                except FileExistsError:
                    return False
            finally:
                draft.unlink(missing_ok=True)
            self._sync_directories(path.parent)
        return True

    def read(self, key: str) -> bytes | None:
        with self._told():
            try:
                return self._path(key).read_bytes()
            except FileNotFoundError:
                return None

    def size(self, key: str) -> int | None:
        with self._told():
            try:
                return self._path(key).stat().st_size
            except FileNotFoundError:
                return None

    def keys(self, prefix: str) -> Iterator[str]:
        with self._told():
            for directory, names, files in os.walk(self._path(prefix)):
                names.sort()
                for name in sorted(files):
                    if not name.startswith("."):
                        yield (Path(directory) / name).relative_to(self._root).as_posix()

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        for key in self.keys(prefix):
            if (size := self.size(key)) is not None:
                yield key, size

    def delete(self, key: str) -> None:
        with self._told():
            self._path(key).unlink(missing_ok=True)

    def delete_many(self, keys: Sequence[str], before: Callable[[], object] = lambda: None) -> None:
        for key in keys:
            before()
            self.delete(key)

    def check_writable(self) -> None:
        # Not in a folder: who removes that takes it from another one who is at it.
        key = f"probe-{token_hex(8)}"
        self.create(key, b"Holdfast may write here.")
        self.delete(key)

    def free_bytes(self) -> int | None:
        with self._told():
            return shutil.disk_usage(self._root).free

    def close(self) -> None:
        return

    def _path(self, key: str) -> Path:
        return self._root.joinpath(*key.split("/"))

    def _sync_directories(self, directory: Path) -> None:
        """So that the name is on disk too, with the directories that may have been made for it."""
        while directory != self._root.parent:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            directory = directory.parent

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            if error.errno in _NO_ROOM:
                raise StoreFull(f"The {self.address} has no room left.", hint="Give it more room.") from error
            if error.errno in _REFUSED:
                raise NotAuthorized(
                    f"The {self.address} refuses access: {reason}.", hint="Check its owner, its mode and its mount."
                ) from error
            raise StoreUnavailable(f"The {self.address} does not answer: {reason}.") from error
