"""``holdfast schema``."""

from typing import Annotated

import typer

from holdfast.cli.console import print_json
from holdfast.errors import InvalidSpec


def schema(
    command: Annotated[str, typer.Argument(metavar="COMMAND", help="One that takes --json, such as backup.")],
) -> None:
    """Print the JSON Schema of what a command prints with --json."""
    from holdfast.cli.outputs import OUTPUTS, schema_of  # to make its models takes a tenth of a program's start

    if command not in OUTPUTS:
        raise InvalidSpec(f"{command!r} has no --json output.", hint=f"There are {', '.join(OUTPUTS)}.")
    print_json(schema_of(command))
