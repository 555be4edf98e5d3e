"""Where harnesses keep what they install, and how they install it without getting in each other's way."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def cache_directory() -> Path:
    """The cache of this project: `$HOLDFAST_CACHE`, `$XDG_CACHE_HOME/holdfast` or `~/.cache/holdfast`."""
    if own := os.environ.get("HOLDFAST_CACHE"):
        return Path(own).absolute()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg).absolute() / "holdfast"
    return Path.home() / ".cache" / "holdfast"


def install_once(target: Path, install: Callable[[Path], None]) -> Path:
    """Fill `target` by `install(directory)` unless it is there already, and return it.

    The work happens in a directory beside `target`, which then gets its name in one step: a reader sees all of
    it or nothing, and of two who install at once the second throws its copy away. Whatever `install` raises is
    passed on and leaves nothing behind.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        install(draft)
        draft.chmod(0o755)
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
