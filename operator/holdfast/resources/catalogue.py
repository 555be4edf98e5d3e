"""How far the BackupRuns of a policy are those of its repository."""

from typing import Annotated

from pydantic import Field

from holdfast.resources.base import Status, Timestamp

SYNC_ANNOTATION = "holdfast.dev/sync"
"""On a BackupPolicy: any new value asks for a sync."""


class CatalogueStatus(Status):
    """The last sync, which gave the backups of the repository their BackupRuns."""

    storage: Annotated[
        str | None, Field(description="Which storage was last in step with the BackupRuns: a hash of spec.storage.")
    ] = None
    request: Annotated[
        str | None, Field(description="The value of the annotation holdfast.dev/sync that was last answered.")
    ] = None
    synced_time: Annotated[Timestamp | None, Field(description="When a sync Job last ended well.")] = None
    imported: Annotated[int | None, Field(description="How many BackupRuns it brought back.", ge=0)] = None
    reason: Annotated[str | None, Field(description="How the last sync Job ended, as one CamelCase word.")] = None
    message: Annotated[str | None, Field(description="The same for people, with what to do next.")] = None
