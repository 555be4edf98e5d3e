"""Names and seals what a repository stores: in the clear, or with a key that never leaves the client.

From the key and the repository's own id, HKDF-SHA-256 (RFC 5869) derives three others: one names chunks (HMAC-SHA-256,
so that a name tells nothing about the data to those without the key), one encrypts, and one tells a wrong key apart.
Each object is sealed by AES-256-GCM under a key of its own, derived from 12 random bytes, with 12 more as the nonce:
24 random bytes in all, so that no pair repeats, even where two writers compress the same chunk differently. The
object's key in the store is authenticated too: an object in another's place does not open.
"""

from base64 import b64decode, b64encode
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from secrets import token_bytes
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from holdfast.errors import DamagedBackup, InvalidKey

ALGORITHM = "AES-256-GCM"
KEY_BYTES = 32
_TEXT_PREFIX = "holdfast-key-1:"
_RANDOM_BYTES = 12
_TAG_BYTES = 16


class Cipher(Protocol):
    """How objects are named and sealed. Thread-safe."""

    encrypted: bool

    def identity(self, data: bytes) -> bytes:
        """The id of a chunk with this content, 32 bytes."""
        ...

    def seal(self, name: str, data: bytes) -> bytes:
        """The bytes to store under ``name``."""
        ...

    def open(self, name: str, stored: bytes) -> bytes:
        """The bytes that were sealed under ``name``. DamagedBackup if these are not they."""
        ...


class Clear:
    """No encryption: a chunk's id is the SHA-256 of its content."""

    encrypted = False

    def identity(self, data: bytes) -> bytes:
        return sha256(data).digest()

    def seal(self, name: str, data: bytes) -> bytes:
        del name
        return data

    def open(self, name: str, stored: bytes) -> bytes:
        del name
        return stored


class Sealed:
    """AES-256-GCM with keys derived for one repository."""

    encrypted = True

    def __init__(self, key: bytes, repository_id: str) -> None:
        def derive(purpose: bytes) -> bytes:
            hkdf = HKDF(SHA256(), length=KEY_BYTES, salt=repository_id.encode(), info=b"holdfast/1/" + purpose)
            return hkdf.derive(key)

        self._identity_key, self._sealing_key = derive(b"chunk-id"), derive(b"seal")
        self.key_id = derive(b"key-id")[:8].hex()
        """Tells one key from another, and nothing else about it."""

    def identity(self, data: bytes) -> bytes:
        return hmac_digest(self._identity_key, data, "sha256")

    def seal(self, name: str, data: bytes) -> bytes:
        salt, nonce = token_bytes(_RANDOM_BYTES), token_bytes(_RANDOM_BYTES)
        return salt + nonce + self._aead(salt).encrypt(nonce, data, name.encode())

    def open(self, name: str, stored: bytes) -> bytes:
        salt, nonce = stored[:_RANDOM_BYTES], stored[_RANDOM_BYTES : 2 * _RANDOM_BYTES]
        if len(stored) < 2 * _RANDOM_BYTES + _TAG_BYTES:
            raise DamagedBackup(f"Object {name} is too short to be what was stored.")
        try:
            return self._aead(salt).decrypt(nonce, stored[2 * _RANDOM_BYTES :], name.encode())
        except InvalidTag as error:
            raise DamagedBackup(f"Object {name} is not what was stored under that name.") from error

    def is_key(self, key_id: str) -> bool:
        """Whether this is the key that a format marker names."""
        return compare_digest(self.key_id, key_id)

    def _aead(self, salt: bytes) -> AESGCM:
        return AESGCM(hmac_digest(self._sealing_key, salt, "sha256"))


def new_key_text() -> str:
    """A new random key, as it stands in a key file or a Secret."""
    return _TEXT_PREFIX + b64encode(token_bytes(KEY_BYTES)).decode()


def key_of(text: str, *, origin: str) -> bytes:
    """The key in a file's text; ``origin`` names the file in the message. InvalidKey if it is not one."""
    encoded = text.strip().removeprefix(_TEXT_PREFIX)
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if not text.strip().startswith(_TEXT_PREFIX) or len(key) != KEY_BYTES:
        # Not quoted, and not chained: what is nearly a key is nearly a secret.
        raise InvalidKey(
            f"{origin} does not hold an encryption key.", hint="`holdfast keygen --output PATH` makes one."
        ) from None
    return key
