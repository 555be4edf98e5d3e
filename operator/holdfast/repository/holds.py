"""Holds: backups that no rule removes. They lie in the repository, so that they outlive the cluster.

A hold is an object ``holds/<backup id>/<holder>``; its presence is all that counts. Two who hold the same backup each
have an object of their own, and either can let go. It is in the clear, also in an encrypted repository.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from holdfast.ports import Store
from holdfast.repository.manifest import timestamp

HOLDS = "holds/"


class Holder(StrEnum):
    """Who wants a backup kept."""

    CLUSTER = "cluster"
    """A BackupRun says so, by its annotation or its spec."""
    PERSON = "person"
    """Somebody said so on the command line."""


@dataclass(frozen=True)
class Hold:
    backup_id: str
    holder: Holder
    reason: str = ""


def hold(store: Store, backup_id: str, holder: Holder, reason: str, now: datetime) -> bool:
    """Keep a backup for ever. False if this holder has it already. Raises StoreUnavailable."""
    content = {"reason": reason, "created": timestamp(now)}
    return store.create(_key(backup_id, holder), json.dumps(content).encode())


def release(store: Store, backup_id: str, holder: Holder) -> None:
    """Let it go. No error if it is not held."""
    store.delete(_key(backup_id, holder))


def holds(store: Store) -> list[Hold]:
    """All holds. One that cannot be read holds all the same."""
    found = []
    for key in list(store.keys(HOLDS)):
        backup_id, _, holder = key.removeprefix(HOLDS).rpartition("/")
        if holder in Holder.__members__.values():
            found.append(Hold(backup_id, Holder(holder), _reason(store.read(key))))
    return sorted(found, key=lambda one: (one.backup_id, one.holder))


def held_ids(store: Store) -> frozenset[str]:
    """The backups that somebody holds."""
    return frozenset(key.removeprefix(HOLDS).rpartition("/")[0] for key in store.keys(HOLDS))


def follow_runs(store: Store, wanted: Mapping[str, bool], now: datetime) -> None:
    """Given for each backup that has a BackupRun whether that holds it, have the repository hold the same.

    A backup without a run keeps the hold that it has: runs can be lost, and nobody has said that it may go.
    """
    known = {key.removeprefix(HOLDS) for key in store.keys(HOLDS)}
    for backup_id, held in sorted(wanted.items()):
        mark = f"{backup_id}/{Holder.CLUSTER}"
        if held and mark not in known:
            hold(store, backup_id, Holder.CLUSTER, "held by its BackupRun", now)
        elif not held and mark in known:
            release(store, backup_id, Holder.CLUSTER)


def _key(backup_id: str, holder: Holder) -> str:
    return f"{HOLDS}{backup_id}/{holder}"


def _reason(data: bytes | None) -> str:
    try:
        return str(json.loads(data or b"{}")["reason"])
    except (ValueError, KeyError, TypeError):
        return ""
