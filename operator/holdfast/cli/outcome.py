"""How a command ends: every error of ours in one or two lines and its exit code, never in a traceback."""

import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from holdfast.cli.console import errors, print_error
from holdfast.errors import HoldfastError


def run(command: Callable[[], object]) -> NoReturn:
    """Run a command line, and leave the process with the exit code of whatever goes wrong."""
    code = _code_of(command)
    _leave(_write_out() or code)


def _code_of(command: Callable[[], object]) -> int:
    try:
        command()
    except HoldfastError as error:
        print_error(error)
        return error.exit_code
    except SystemExit as end:
        if isinstance(end.code, str):
            errors.print(end.code)
            return 1
        return end.code or 0
    except Exception as error:
        if os.environ.get("HOLDFAST_DEBUG"):
            raise
        # The text of an unknown error may hold anything, so only its kind is shown.
        errors.print(f"error: Holdfast met an unexpected {type(error).__name__}; this is a bug.")
        errors.print("       Please report it with what you ran; HOLDFAST_DEBUG=1 shows where it happened.")
        return 1
    return 0


def _write_out() -> int:
    """Let standard output go where it goes; the exit code, if it does not."""
    if sys.stdout is None:  # closed by whoever started us
        return 0
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody shall try it again
        if error.errno != errno.EPIPE:  # who closes a pipe has read enough
            errors.print(f"error: The output could not be written: {error.strerror}.")
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """By the shortest way: the interpreter's own end waits up to half a second for threads of the MongoDB driver, and
    those of the library for object stores may abort in it."""
    if "kubernetes" in sys.modules:  # which removes there the files that it made of a kubeconfig's keys
        sys.exit(code)
    if sys.stderr is not None:
        sys.stderr.flush()
    os._exit(code)
