"""The format marker: the one object in the clear, which says how to read all the others."""

import json
from uuid import uuid4

from holdfast.errors import DamagedBackup, InvalidKey, RepositoryTooNew
from holdfast.repository.cipher import ALGORITHM, Cipher, Clear, Sealed
from holdfast.repository.manifest import FORMAT_VERSION

MARKER = "holdfast.json"


def new_marker(key: bytes | None) -> bytes:
    """The marker of a new repository with an id of its own."""
    repository_id = uuid4().hex
    marker: dict[str, object] = {"product": "holdfast", "format": FORMAT_VERSION, "id": repository_id}
    if key:
        marker["encryption"] = {"algorithm": ALGORITHM, "keyId": Sealed(key, repository_id).key_id}
    return json.dumps(marker).encode()


def cipher_of(marker: bytes, key: bytes | None, address: str) -> Cipher:
    """How the repository at ``address`` is read. RepositoryTooNew, InvalidKey, or DamagedBackup if it cannot be."""
    try:
        content = json.loads(marker)
        version, repository_id = int(content["format"]), str(content.get("id", ""))
        encryption = content.get("encryption")
        algorithm, key_id = (encryption["algorithm"], str(encryption["keyId"])) if encryption else (None, "")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBackup(f"The format marker {MARKER} in {address} cannot be read.") from error
    if version != FORMAT_VERSION or algorithm not in (None, ALGORITHM):
        raise RepositoryTooNew(
            f"The repository in {address} has format {version}{f' with {algorithm}' if algorithm else ''}; "
            f"this release reads format {FORMAT_VERSION}.",
            hint="Use a newer release of Holdfast.",
        )
    if algorithm is None:
        if key:
            raise InvalidKey(
                f"A key is given, and the repository in {address} is not encrypted.",
                hint="Leave the key out, or use another place for encrypted backups.",
            )
        return Clear()
    if key is None:
        raise InvalidKey(
            f"The repository in {address} is encrypted.",
            hint="Give its key: --key-file, or spec.encryption of the policy.",
        )
    sealed = Sealed(key, repository_id)
    if not sealed.is_key(key_id):
        raise InvalidKey(
            f"The key given is not that of the repository in {address} (key id {key_id} is needed).",
            hint="Find the key with that id; without it these backups cannot be read.",
        )
    return sealed
