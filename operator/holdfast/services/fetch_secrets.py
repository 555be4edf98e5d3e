"""What leads to a policy's backups, for a process that the kubelet mounts nothing for."""

from base64 import b64decode
from pathlib import Path

from holdfast.errors import NotAuthorized, SecretMissing
from holdfast.ports import SECRET, Cluster
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.store_access import mounted_secrets


def fetch_secrets(cluster: Cluster, policy: BackupPolicy, folder: Path, *, who: str, hint: str) -> None:
    """Lay the Secrets of a policy into a folder as the kubelet does it for the worker.

    ``who`` reads them, and ``hint``: what to do where that is not allowed, which raises NotAuthorized. SecretMissing if
    there is none.
    """
    place = policy.metadata.namespace
    for name, mount in mounted_secrets(policy).items():
        try:
            secret = cluster.get(SECRET, place, mount.name)
        except NotAuthorized as error:
            raise NotAuthorized(
                f"{who} may not read Secret {place}/{mount.name}, which leads to the backup.", hint=hint
            ) from error
        if secret is None:
            raise SecretMissing(f"There is no Secret {place}/{mount.name}.", hint="The policy names it.")
        (folder / name).mkdir()
        for key, file in mount.files.items():
            if key in (secret.get("data") or {}):
                (folder / name / file).write_bytes(b64decode(secret["data"][key]))
