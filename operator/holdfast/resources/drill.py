"""Drills: restores that are made for no other reason than to know that they can be made."""

from typing import Annotated

from pydantic import Field

from holdfast.errors import InvalidSpec
from holdfast.resources.base import Spec, Status, Timestamp
from holdfast.resources.job import Quantity
from holdfast.resources.references import UriSecretRef

DRILLS_KEPT = 10
"""In the status: an object is to stay small."""


class EphemeralTarget(Spec):
    """A MongoDB server beside the worker, in the same pod, which goes with it."""

    image: Annotated[
        str,
        Field(
            description="Image with a `mongod` on its PATH, of the version that you restore into, such as mongo:7.0. "
            "It runs as user 65532 with a read-only root.",
            min_length=1,
            max_length=1000,
        ),
    ]
    memory: Annotated[Quantity, Field(description="Memory limit of the server.")] = "1Gi"
    disk: Annotated[
        Quantity, Field(description="How much the database may take up on the node; the pod is evicted beyond that.")
    ] = "10Gi"


class ScratchTarget(Spec):
    """A database of the drill's own on a server that is there. It is removed afterwards."""

    uri_secret_ref: Annotated[
        UriSecretRef,
        Field(
            description="Where the MongoDB URI of the server is. Its user needs the role `readWrite` on the database "
            "`holdfast-drill-…`, or on any; `dbAdmin` too where a collection has a validator."
        ),
    ]


class DrillTarget(Spec):
    """Where a drill restores to: exactly one of these."""

    ephemeral: Annotated[
        EphemeralTarget | None, Field(description="A server beside the worker, in the same pod, which goes with it.")
    ] = None
    scratch: Annotated[
        ScratchTarget | None, Field(description="A database of the drill's own on a server that is there.")
    ] = None

    @property
    def chosen(self) -> EphemeralTarget | ScratchTarget:
        """The one that is given. InvalidSpec if it is not one; an older CRD may have let that pass."""
        given = [one for one in (self.ephemeral, self.scratch) if one is not None]
        if len(given) != 1:
            raise InvalidSpec(
                f"spec.verification.drill.target: {len(given)} targets are given.", hint="Give ephemeral or scratch."
            )
        return given[0]


ONE_TARGET = {
    "rule": "has(self.ephemeral) != has(self.scratch)",
    "message": "a drill takes exactly one target: ephemeral or scratch",
}
"""The same rule for the API server."""


class DrillSpec(Spec):
    """When the newest good backup is restored for proof, and where to."""

    schedule: Annotated[
        str,
        Field(
            description="Five cron fields or a macro, in the time zone of spec.schedule. @weekly is a good habit.",
            min_length=1,
            max_length=200,
        ),
    ]
    suspend: Annotated[bool, Field(description="Make no drills for now.")] = False
    keep_history: Annotated[
        int, Field(description="How many Jobs of drills that passed, and of those that failed, are kept.", ge=1, le=100)
    ] = 3
    target: Annotated[
        DrillTarget,
        Field(
            description="Where it is restored to; never the database that was backed up.",
            json_schema_extra={"x-kubernetes-validations": [ONE_TARGET]},
        ),
    ]


class VerificationSpec(Spec):
    """How backups are proven."""

    drill: Annotated[DrillSpec | None, Field(description="Restore the newest good backup regularly, and compare.")] = (
        None
    )


class LastDrill(Status):
    """A drill that has ended."""

    job: Annotated[str, Field(description="Name of its Job.")]
    result: Annotated[str, Field(description="Passed or Failed.")]
    time: Annotated[Timestamp, Field(description="When it ended.")]
    backup_id: Annotated[str | None, Field(description="The backup that was restored.")] = None
    documents: Annotated[int | None, Field(description="Documents that were restored and compared.", ge=0)] = None
    duration_seconds: Annotated[
        int | None, Field(description="The recovery time: from the start to the proof of all.", ge=0)
    ] = None
    duration: Annotated[str | None, Field(description="The same for people, such as 1m30s.")] = None
    message: Annotated[str | None, Field(description="What came of it, in words.")] = None

    @property
    def passed(self) -> bool:
        return self.result == "Passed"
