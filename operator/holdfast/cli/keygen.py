"""``holdfast keygen``."""

import os
from pathlib import Path
from typing import Annotated

import typer

from holdfast.errors import InvalidSpec
from holdfast.repository.cipher import new_key_text


def keygen(
    output: Annotated[Path, typer.Option("--output", metavar="PATH", help="A new file, readable by you alone.")],
) -> None:
    """Make an encryption key. Without it, backups made with it are lost: keep a copy elsewhere."""
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InvalidSpec(
            f"The key was not written: {output}: {error.strerror}.",
            hint="Name a file that does not exist yet, in a directory you may write to.",
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(new_key_text() + "\n")
    typer.echo(f"A new key is in {output}. Keep a copy elsewhere: without it the backups cannot be read.", err=True)
