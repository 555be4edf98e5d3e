"""The JSON that commands print has a schema, and docs/schemas is what the models say."""

import inspect
import json
from pathlib import Path

import pytest
import typer

from holdfast.cli import app
from holdfast.cli.outputs import OUTPUTS, schema_of

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "schemas"


def commands_with_json() -> set[str]:
    found = set()
    for command in app.registered_commands:
        assert command.callback is not None
        if "json" in inspect.signature(command.callback).parameters:
            found.add(str(command.name))
    return found


def test_every_command_with_json_has_a_schema() -> None:
    assert isinstance(app, typer.Typer)
    assert commands_with_json() == set(OUTPUTS)


@pytest.mark.parametrize("command", OUTPUTS)
def test_the_schemas_in_the_documents_are_those_of_the_models(command: str) -> None:
    text = (FOLDER / f"{command}.json").read_text(encoding="utf-8")
    assert json.loads(text) == schema_of(command), "run make generate"
