"""What the commands that run in a cluster do alike at their start. It loads none of what only one of them needs."""

import logging
import sys

from pydantic import ValidationError

from holdfast.errors import InvalidSpec


def settings_error(error: ValidationError) -> InvalidSpec:
    """Which variable is wrong, without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    variable = f"HOLDFAST_{name}: " if name else ""  # where two variables do not fit, the words name them
    return InvalidSpec(f"{variable}{first['msg']}.", hint="Set the variable.")


def start_logging(level: str) -> None:
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # They say too much: each event that is handled, or requests and responses word for word.
    for name in ("kopf.objects", "kopf.activities", "kubernetes", "urllib3", "pymongo", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
