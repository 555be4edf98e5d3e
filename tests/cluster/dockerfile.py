"""What a Dockerfile says about its inputs: the images that it starts from, and the files that it copies.

Only what a build in this repository needs is understood: no heredocs, no variables in FROM lines.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.cluster.errors import ClusterError


@dataclass(frozen=True)
class _Instruction:
    """One instruction: its first and last line (counted from 0), its word and what follows."""

    first: int
    last: int
    word: str
    rest: str


def base_images(text: str) -> list[str]:
    """Return the images that the stages start from, in order, each once, without their digests."""
    stages: set[str] = set()
    found: dict[str, None] = {}
    for instruction in _instructions(text):
        if instruction.word == "FROM":
            image, stage = _from(instruction.rest)
            if image not in stages and image != "scratch":
                found[_without_digest(image)] = None
            if stage:
                stages.add(stage)
        else:
            # An image can be a source of files too.
            source = _flags(instruction.rest)[0].get("from") if instruction.word in {"COPY", "ADD"} else None
            if source and source not in stages and not source.isdigit():
                found[_without_digest(source)] = None
    return list(found)


def copied_paths(text: str) -> list[str]:
    """Return the paths of the build's folder that the Dockerfile copies, as it writes them, each once."""
    found: dict[str, None] = {}
    for instruction in _instructions(text):
        if instruction.word not in {"COPY", "ADD"}:
            continue
        flags, rest = _flags(instruction.rest)
        if "from" in flags:
            continue
        words = json.loads(rest) if rest.startswith("[") else rest.split()
        found |= dict.fromkeys(word for word in words[:-1] if "://" not in word)
    return list(found)


def rewrite(text: str, images: Mapping[str, str]) -> str:
    """Return the Dockerfile with its images replaced, and digests taken off: a replacement has another one."""
    lines = text.splitlines()
    for instruction in reversed(_instructions(text)):
        if instruction.word == "FROM":
            image, stage = _from(instruction.rest)
            new = images.get(_without_digest(image), image)
            lines[instruction.first : instruction.last + 1] = [f"FROM {new}" + (f" AS {stage}" if stage else "")]
        elif instruction.word in {"COPY", "ADD"}:
            source = _flags(instruction.rest)[0].get("from", "")
            if _without_digest(source) in images:
                old, new = f"--from={source}", f"--from={images[_without_digest(source)]}"
                for number in range(instruction.first, instruction.last + 1):
                    lines[number] = lines[number].replace(old, new)
    return "\n".join(lines) + "\n"


def _instructions(text: str) -> list[_Instruction]:
    """Return the instructions, with continued lines joined and comments left out."""
    found = []
    first, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines()):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not parts:
            first = number
        parts.append(line.strip().removesuffix("\\").strip())
        if line.rstrip().endswith("\\"):
            continue
        word, _, rest = " ".join(parts).partition(" ")
        found.append(_Instruction(first, number, word.upper(), rest.strip()))
        parts = []
    return found


def _from(rest: str) -> tuple[str, str]:
    """Return the image and the stage's name of a FROM line; its platform is always this machine's."""
    words = _flags(rest)[1].split()
    if not words or "$" in words[0]:
        raise ClusterError(f"The line `FROM {rest}` of the Dockerfile does not name one image.")
    named = len(words) == 3 and words[1].upper() == "AS"
    return words[0], words[2] if named else ""


def _flags(rest: str) -> tuple[dict[str, str], str]:
    """Return the flags at the beginning, and what follows them."""
    flags = {}
    while found := re.match(r"--([a-z-]+)(?:=(\S+))?\s+", rest):
        flags[found[1]] = found[2] or ""
        rest = rest[found.end() :]
    return flags, rest


def _without_digest(image: str) -> str:
    """Return an image's name without its digest."""
    return image.partition("@")[0]
