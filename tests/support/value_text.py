"""How a raw BSON value reads in a message: as canonical Extended JSON, which tells the number types apart."""

import struct

from bson import BSON
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps
from bson.son import SON

from tests.support.rawbson import Field

LONGEST = 300


def text_of(value: Field | None) -> str:
    """The value in one line of at most 300 characters; "absent" for none."""
    if value is None:
        return "absent"
    body = bytes([value.kind]) + b"v\0" + value.value + b"\0"
    document = struct.pack("<i", len(body) + 4) + body
    try:
        decoded = BSON(document).decode(CodecOptions(document_class=SON))
        text = dumps(decoded["v"], json_options=CANONICAL_JSON_OPTIONS)
    except (BSONError, UnicodeError):
        text = value.value.hex()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
