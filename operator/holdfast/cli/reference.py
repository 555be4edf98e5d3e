"""Writes the pages under docs that are made from the code: ``python -m holdfast.cli.reference docs``.

They are the JSON Schema of each command (``docs/schemas``), every option (``docs/options.md``), and every field of the
resources (``docs/reference``).
"""

import json
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from holdfast.cli import app, fields
from holdfast.cli.outputs import OUTPUTS, schema_of
from holdfast.cli.plugin import app as plugin

_HEAD = """# Options

Made from the code by `make generate`. Every command takes `--help`. [The command line](command-line.md) and
[kubectl holdfast](kubectl.md) tell what the commands do.
"""


def pages() -> dict[str, str]:
    """The text of each page, by its path below docs."""
    schemas = {f"schemas/{command}.json": json.dumps(schema_of(command), indent=2) + "\n" for command in OUTPUTS}
    return {**schemas, "options.md": options(), **fields.pages()}


def options() -> str:
    """Every command with its arguments and options."""
    # Typer's own classes say so little about their types that Any is as good.
    group: Any = typer.main.get_command(app)
    below_kubectl: Any = typer.main.get_command(plugin)
    return "\n".join([_HEAD, *_sections("holdfast", group), *_sections("kubectl holdfast", below_kubectl)])


def _sections(name: str, group: Any) -> Iterator[str]:
    for word, command in group.commands.items():
        full = f"{name} {word}"
        if hasattr(command, "commands"):
            yield from _sections(full, command)
            continue
        arguments = [p.metavar or p.name.upper() for p in command.params if p.param_type_name == "argument"]
        yield f"## {' '.join([full, *arguments])}\n\n{_unwrapped(command.help)}\n"
        lines = list(map(_line, command.params))
        if lines:
            yield "\n".join(lines) + "\n"


def _line(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        title, default = parameter.metavar or parameter.name.upper(), None
    else:
        title, default = ", ".join([*parameter.opts, *parameter.secondary_opts]), parameter.default
        if not parameter.is_flag:
            title += f" {_value(parameter)}"
    extra = ", needed" if parameter.required and default is None and parameter.param_type_name == "option" else ""
    if default not in (None, False, 0):
        extra = f", default `{default.value if isinstance(default, Enum) else default}`"
    return f"- `{title}`{extra}: {_unwrapped(parameter.help)}"


def _value(parameter: Any) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    if isinstance(parameter.default, Enum):
        return "|".join(str(member.value) for member in type(parameter.default))
    return "N" if isinstance(parameter.default, int) or parameter.min is not None else "TEXT"


def _unwrapped(text: str | None) -> str:
    return " ".join((text or "").split())


if __name__ == "__main__":
    for page, content in pages().items():
        file = Path(sys.argv[1]) / page
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
