"""``holdfast schema``."""

from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.console import print_json
from holdfast.cli.outputs import OUTPUTS, schema_of
from holdfast.errors import InvalidSpec


def schema(
    command: Annotated[str, typer.Argument(metavar="COMMAND", help=f"One of {', '.join(OUTPUTS)}.")],
) -> None:
    """Print the JSON Schema of what a command prints with --json."""
    if command not in OUTPUTS:
        raise InvalidSpec(f"{command!r} has no --json output.", hint=f"There are {', '.join(OUTPUTS)}.")
    print_json(schema_of(command))


def write_schemas(folder: Path) -> None:
    """All of them as files; for docs/schemas."""
    import json

    folder.mkdir(parents=True, exist_ok=True)
    for command in OUTPUTS:
        (folder / f"{command}.json").write_text(json.dumps(schema_of(command), indent=2) + "\n", encoding="utf-8")
