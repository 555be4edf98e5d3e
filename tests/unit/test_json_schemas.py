"""What commands print with --json has a schema, and the pages that are made from the code are those of the code."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from holdfast.cli import app
from holdfast.cli.outputs import OUTPUTS, schema_of
from holdfast.cli.reference import pages

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = {str(command.name): command.callback for command in app.registered_commands}


def nodes(path: str, schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property, with its path."""
    if isinstance(schema, list):
        for part in schema:
            yield from nodes(path, part)
    elif isinstance(schema, dict):
        for name, child in schema.get("properties", {}).items():
            yield f"{path}.{name}", child
        for name, child in schema.items():
            yield from nodes(f"{path}.{name}", child)


def test_every_command_with_json_has_a_schema() -> None:
    with_json = {name for name, call in COMMANDS.items() if call and "json" in inspect.signature(call).parameters}
    assert with_json == set(OUTPUTS)


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_schema_is_a_schema(command: str) -> None:
    Draft202012Validator.check_schema(schema_of(command))


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_schema_is_named_after_its_command(command: str) -> None:
    assert schema_of(command)["title"] == f"holdfast {command} --json"


@pytest.mark.parametrize("command", OUTPUTS)
def test_every_field_is_described(command: str) -> None:
    assert not [path for path, node in nodes(command, schema_of(command)) if "description" not in node]


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_later_release_may_add_fields(command: str) -> None:
    assert "additionalProperties" not in json.dumps(schema_of(command))


def test_the_pages_are_those_of_the_code() -> None:
    made = pages()
    folders = (DOCS / "schemas", DOCS / "reference")
    found = {str(page.relative_to(DOCS)) for folder in folders for page in folder.iterdir()} | {"options.md"}
    assert found == set(made), "run make generate"
    stale = [name for name, text in made.items() if (DOCS / name).read_text(encoding="utf-8") != text]
    assert not stale, "run make generate"


def test_the_page_of_the_command_line_names_every_command_and_every_schema() -> None:
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    named = {
        name for cell in re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE) for name in re.findall(r"`([\w-]+)", cell)
    }
    assert named == {*COMMANDS, "worker"}
    assert set(re.findall(r"\(schemas/(\w+)\.json\)", text)) == set(OUTPUTS)


def test_every_option_says_what_it_is() -> None:
    silent = [line for line in pages()["options.md"].splitlines() if re.fullmatch(r"- .*: *", line)]
    assert not silent
