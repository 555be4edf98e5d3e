"""Options that `holdfast restore` and `kubectl holdfast restore` have in common."""

from typing import Annotated

import typer

from holdfast.domain.restoring import Existing, Strategy
from holdfast.errors import InvalidSpec

Include = Annotated[
    list[str] | None, typer.Option("--include", metavar="GLOB", help="Only these collections; may be repeated.")
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Leave these out; may be repeated.")
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--rename", metavar="OLD=NEW", help="Give a collection another name; may be repeated."),
]
ExistingOption = Annotated[
    Existing,
    typer.Option(
        "--existing",
        case_sensitive=False,
        help="What becomes of collections of the same names. Fail: nothing is done. Drop: they are replaced. "
        "Merge: what is missing is inserted, what differs is told.",
    ),
]
StrategyOption = Annotated[
    Strategy,
    typer.Option(
        "--strategy",
        case_sensitive=False,
        help="Swap: make ready aside, then rename into place. Direct: write where it belongs. Auto: Swap where the "
        "target is not empty.",
    ),
]
Confirm = Annotated[
    str | None,
    typer.Option("--confirm", metavar="DB", help="The target's name once more: without it, nothing is dropped."),
]
BeforeDrop = Annotated[
    str | None,
    typer.Option("--before-drop", metavar="NAME", help="As all was just before this collection was last dropped."),
]


def renamed(text: str) -> tuple[str, str]:
    """What is given to --rename, as the old name and the new one."""
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise InvalidSpec(f"--rename {text!r} names no two collections.", hint="Give it as OLD=NEW.")
    return old, new
