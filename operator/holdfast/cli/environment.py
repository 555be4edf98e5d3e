"""What every program that runs in a pod begins with. It imports little: an archiver is to stay small."""

import logging
import sys

from pydantic import ValidationError

from holdfast.errors import InvalidSpec


def settings_error(error: ValidationError) -> InvalidSpec:
    """Which variable is wrong, without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    return InvalidSpec(f"HOLDFAST_{name}: {first['msg']}.", hint="Set the variable.")


def start_logging(level: str) -> None:
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    # They say too much: each event that is handled, or requests and responses word for word.
    for name in ("kopf.objects", "kopf.activities", "kubernetes", "urllib3", "pymongo", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
