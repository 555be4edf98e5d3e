"""The command line of `tests.support.mongod`: a server that outlives the command, for the demo."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.mongod import Mongod, MongodError
from tests.support.mongod_files import Files

EXIT_FAILED = 1
EXIT_NOT_RUNNING = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Start, stop or look at the server in a directory; prints the path of the file that holds its URI.

    Returns 0, 1 after an error, or 3 from `status` when the server does not run.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.action == "start":
            return _start(options)
        return _stop(options.directory) if options.action == "stop" else _status(options.directory)
    except MongodError as error:
        print(f"mongod: {error}", file=sys.stderr)
        return EXIT_FAILED


def _start(options: argparse.Namespace) -> int:
    known = Files(options.directory.absolute()).settings()
    if known is None:
        mongod = Mongod(
            directory=options.directory,
            bind=options.bind.split(",") if options.bind else ("127.0.0.1",),
            port=options.port,
            advertise=options.advertise,
            detach=True,
        )
    else:
        asked = (options.port or known.port, options.advertise or known.advertise)
        if asked != (known.port, known.advertise) or not set(_words(options.bind)) <= set(known.bind):
            raise MongodError(
                f"the server in {options.directory} was set up for {known.advertise}:{known.port}; "
                "give it the same options, or none, or another directory"
            )
        mongod = Mongod.attach(options.directory)
    print(mongod.start().uri_file)
    return 0


def _stop(directory: Path) -> int:
    Mongod.attach(directory).stop()
    return 0


def _status(directory: Path) -> int:
    mongod = Mongod.attach(directory)
    if not mongod.is_running:
        print("not running")
        return EXIT_NOT_RUNNING
    print(mongod.uri_file)
    return 0


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.support.mongod", description=main.__doc__)
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--directory", type=Path, required=True, help="where the server lives")
    parser.add_argument("--bind", default="", help="addresses to listen on beside 127.0.0.1, with commas")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--advertise", help="name or address that clients reach it by")
    return parser
