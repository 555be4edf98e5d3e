"""How a command ends: every error of ours in one or two lines and its exit code, never in a traceback."""

import os
import sys
from collections.abc import Callable

from holdfast.cli.console import errors, print_error
from holdfast.errors import HoldfastError


def run(command: Callable[[], object]) -> None:
    """Run a command line, and leave the process with the exit code of whatever goes wrong."""
    try:
        command()
    except HoldfastError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except Exception as error:
        if os.environ.get("HOLDFAST_DEBUG"):
            raise
        # The text of an unknown error may hold anything, so only its kind is shown.
        errors.print(f"error: Holdfast met an unexpected {type(error).__name__}; this is a bug.")
        errors.print("       Please report it with what you ran; HOLDFAST_DEBUG=1 shows where it happened.")
        sys.exit(1)
