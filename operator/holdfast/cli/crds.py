"""``holdfast crds``: write the CustomResourceDefinitions."""

from pathlib import Path
from typing import Annotated

import typer


def crds(
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR|-", help="Folder to write to; - for standard output.")
    ] = Path("-"),
) -> None:
    """Write the CustomResourceDefinitions, ready for kubectl apply."""
    from holdfast.resources.crd import documents

    if str(output) == "-":
        typer.echo("---\n".join(documents().values()), nl=False)
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (output / name).write_text(text, encoding="utf-8")
