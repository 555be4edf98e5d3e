"""`python -m bench [--rounds N]`: measure, print the table, and write it into README.md."""

import argparse
import platform
import sys
from os import cpu_count

from bench import engine, table
from bench.measure import BenchError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each pair is measured")
    options = parser.parse_args()
    try:
        rows = engine.rows(options.rounds)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    heading = (
        f"{cpu_count()} processors, Python {platform.python_version()}, MongoDB on the same machine; "
        f"{options.rounds} rounds."
    )
    table.write(rows, heading)
    print("\n".join(map(str, rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
