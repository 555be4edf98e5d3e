"""``python -m tests.cluster COMMAND``."""

import argparse
import sys
from collections.abc import Callable, Sequence

from tests.cluster import cluster, external
from tests.cluster.errors import ClusterError
from tests.cluster.images import build_image
from tests.cluster.layout import layout
from tests.cluster.lock import locked
from tests.cluster.preflight import check_machine
from tests.cluster.progress import say
from tests.cluster.tools import build_tools

_DESCRIPTION = """\
A real one-node Kubernetes on this machine, without a container engine: for tests and the demo.

All state lies in one folder: HOLDFAST_CACHE, or XDG_CACHE_HOME/holdfast, or ~/.cache/holdfast.
The first start builds the programs, which takes about ten minutes and 15 GB of disk; later ones take seconds.
"""
_EPILOGUE = """\
To use a cluster of your own instead, set HOLDFAST_KUBECONFIG to its kubeconfig, HOLDFAST_HOST_ADDRESS to the address
by which its pods reach this host, and HOLDFAST_IMAGE to an image that its nodes already have. For drills,
HOLDFAST_MONGOD_IMAGE names an image of MongoDB; by default it is mongo:6.0.
"""


def _up() -> int:
    """Bring the cluster up and wait until it is Ready; on a cluster that is up, only check it."""
    running = cluster.up()
    say(f"Ready. export KUBECONFIG={running.kubeconfig} PATH={running.bin_dir}:$PATH")
    return 0


def _down() -> int:
    """End the cluster and remove every trace of it, except the programs and the images."""
    cluster.down()
    return 0


def _status() -> int:
    """Show the state of each part; the exit code is 0 only when the cluster is Ready."""
    ready, rows = cluster.status()
    width = max(len(name) for name, _ in rows)
    for name, state in rows:
        print(f"{name:{width}}  {state}")
    return 0 if ready else 1


def _image() -> int:
    """Build the repository's Dockerfile, load it into the cluster, and print the image's name only."""
    print(build_image())
    return 0


def _kubeconfig() -> int:
    """Print the path of the kubeconfig."""
    print(external.kubeconfig() or layout().kubeconfig)
    return 0


def _tools() -> int:
    """Build what is missing of the programs, and print the folder that holds them."""
    where = layout()
    if external.kubeconfig() is not None:
        print(external.clients(where))
        return 0
    with locked(where):
        check_machine(where)
        build_tools(where)
    print(where.bin)
    return 0


_COMMANDS: dict[str, Callable[[], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "image": _image,
    "kubeconfig": _kubeconfig,
    "tools": _tools,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster",
        description=_DESCRIPTION,
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        commands.add_parser(name, help=command.__doc__, description=command.__doc__)
    chosen = parser.parse_args(arguments).command
    try:
        return _COMMANDS[chosen]()
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
