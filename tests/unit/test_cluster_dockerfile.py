"""What a Dockerfile says about its inputs, and how its FROM lines are rewritten."""

import pytest

from tests.cluster import dockerfile
from tests.cluster.errors import ClusterError

_TEXT = """\
# syntax=docker/dockerfile:1
FROM --platform=linux/amd64 python:3.11-slim-bookworm@sha256:0123 AS build
COPY requirements/lock.txt ./operator/ /src/
RUN pip install \\
    # a comment in between
    --require-hashes -r /src/lock.txt
FROM build as checked
COPY ["with space.txt", "/src/"]
from python:3.11-slim-bookworm
COPY --from=build --chown=1:1 /venv /venv
COPY --from=docker.io/library/debian:bookworm@sha256:4567 /etc/hosts /hosts
ADD --chmod=0755 https://example.com/file entry.sh /
FROM scratch
COPY --from=0 /a /b
"""


def test_base_images_are_those_that_no_stage_made() -> None:
    assert dockerfile.base_images(_TEXT) == ["python:3.11-slim-bookworm", "docker.io/library/debian:bookworm"]


def test_copied_paths_are_those_of_the_folder() -> None:
    assert dockerfile.copied_paths(_TEXT) == ["requirements/lock.txt", "./operator/", "with space.txt", "entry.sh"]


def test_rewriting_changes_images_and_nothing_else() -> None:
    images = {"python:3.11-slim-bookworm": "localhost/py:1", "docker.io/library/debian:bookworm": "localhost/deb:1"}
    old, new = _TEXT.splitlines(), dockerfile.rewrite(_TEXT, images).splitlines()
    assert {line: after for line, after in zip(old, new, strict=True) if line != after} == {
        old[1]: "FROM localhost/py:1 AS build",
        old[6]: "FROM build AS checked",
        old[8]: "FROM localhost/py:1",
        old[10]: "COPY --from=localhost/deb:1 /etc/hosts /hosts",
    }


def test_a_from_line_over_several_lines_becomes_one() -> None:
    assert dockerfile.rewrite("FROM \\\n  a:1 \\\n  AS x\nRUN true\n", {"a:1": "b:2"}) == "FROM b:2 AS x\nRUN true\n"


def test_a_variable_in_a_from_line_is_refused() -> None:
    with pytest.raises(ClusterError, match="does not name one image"):
        dockerfile.base_images("ARG V=3\nFROM python:$V\n")
