"""What the machine can do: raw reading alone, and compressing alone. Each is a command of its own.

`python -m bench.baseline read URI_FILE DATABASE` reads every document as raw bytes and drops it.
`python -m bench.baseline compress DIRECTORY LEVEL` compresses the files of a directory on all processors.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

import zstandard

from holdfast.wiring.opening import open_source


def read(uri_file: Path, database: str) -> int:
    source = open_source(uri_file.read_text().strip(), database, origin=str(uri_file))
    at = source.cluster_time()
    return sum(len(batch) for collection in source.catalogue() for batch in source.read(collection, at))


def save(uri_file: Path, database: str, directory: Path) -> None:
    """The documents as files of about 4 MiB, for `compress`."""
    source = open_source(uri_file.read_text().strip(), database, origin=str(uri_file))
    at = source.cluster_time()
    for collection in source.catalogue():
        for number, batch in enumerate(source.read(collection, at)):
            (directory / f"{collection.name}-{number}").write_bytes(b"".join(batch))


def compress(directory: Path, level: int) -> int:
    def size(path: Path) -> int:
        return len(zstandard.ZstdCompressor(level=level).compress(path.read_bytes()))

    with ThreadPoolExecutor(cpu_count()) as pool:
        return sum(pool.map(size, sorted(directory.iterdir())))


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "read":
        print(read(Path(arguments[0]), arguments[1]))
    elif what == "save":
        save(Path(arguments[0]), arguments[1], Path(arguments[2]))
    else:
        print(compress(Path(arguments[0]), int(arguments[1])))
