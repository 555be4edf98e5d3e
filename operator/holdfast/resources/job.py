"""How the worker's Jobs run: the part of a policy that is about pods."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from holdfast.resources.base import Spec
from holdfast.resources.references import SecretName

MOST_PODS = 100
_NUMBER = r"([0-9]+(\.[0-9]*)?|\.[0-9]+)"

Quantity = Annotated[
    str | int,
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
            "pattern": rf"^[+-]?{_NUMBER}([KMGTPE]i|[numkMGTPE]|[eE][+-]?{_NUMBER})?$",
            "description": "An amount such as 500m or 1Gi.",
        }
    ),
]


class Resources(Spec):
    """Compute resources of the worker's container."""

    requests: dict[str, Quantity] = Field(
        default={"cpu": "100m", "memory": "256Mi"}, description="What the worker is guaranteed.", max_length=16
    )
    limits: dict[str, Quantity] = Field(
        default={"memory": "512Mi"},
        description="What the worker may use at most. It needs the same at any size of database.",
        max_length=16,
    )


class ImagePullSecret(Spec):
    """A Secret of type kubernetes.io/dockerconfigjson."""

    name: Annotated[SecretName, Field(description="Name of the Secret, in the namespace of the policy.")]


class Toleration(Spec):
    """A taint that the worker tolerates."""

    key: Annotated[str | None, Field(description="Key of the taint. Empty: all keys.")] = None
    operator: Annotated[
        Literal["Equal", "Exists"] | None, Field(description="How the value is compared. Default: Equal.")
    ] = None
    value: Annotated[str | None, Field(description="Value of the taint.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Field(description="Effect of the taint. Empty: all effects."),
    ] = None
    toleration_seconds: Annotated[
        int | None, Field(description="How long a NoExecute taint is tolerated. Empty: for ever.")
    ] = None


class JobTemplate(Spec):
    """How the worker's Jobs run."""

    active_deadline_seconds: Annotated[
        int, Field(description="A run that takes longer, retries included, is ended as failed.", ge=60, le=2592000)
    ] = 21600
    backoff_limit: Annotated[
        int, Field(description="How often a run is tried again after a failure that may pass.", ge=0, le=100)
    ] = 3
    parallelism: Annotated[
        int,
        Field(
            description="How many pods take a backup together, as one Indexed Job: each reads a share of the data at "
            "the same cluster time. As many restore it. For more than one, the policy's name has at most 49 characters "
            "and no dot.",
            ge=1,
            le=MOST_PODS,
        ),
    ] = 1
    start_timeout_seconds: Annotated[
        int,
        Field(
            description="A run whose pod cannot start for so long (image, quota, no node) is ended as failed.",
            ge=10,
            le=86400,
        ),
    ] = 600
    ttl_seconds_after_finished: Annotated[
        int, Field(description="How long a Job and its logs stay after its end.", ge=60, le=31536000)
    ] = 86400
    successful_jobs_history_limit: Annotated[
        int, Field(description="How many scheduled Jobs that succeeded stay.", ge=0, le=100)
    ] = 3
    failed_jobs_history_limit: Annotated[
        int, Field(description="How many scheduled Jobs that failed stay.", ge=0, le=100)
    ] = 3
    image: Annotated[
        str | None, Field(description="Image of the worker. Default: that of the operator.", min_length=1)
    ] = None
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None,
        Field(description="When the image is pulled. Default: that of the operator."),
    ] = None
    image_pull_secrets: Annotated[
        tuple[ImagePullSecret, ...],
        Field(
            description="Secrets with the credentials of the image's registry.",
            max_length=20,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = ()
    resources: Annotated[Resources, Field(description="Compute resources of the worker.")] = Resources()
    node_selector: dict[str, str] = Field(default={}, description="Labels that a node must have to run the worker.")
    tolerations: Annotated[
        tuple[Toleration, ...],
        Field(
            description="Taints that the worker tolerates.",
            max_length=100,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    priority_class_name: Annotated[
        str | None, Field(description="Priority class of the worker's pods.", min_length=1)
    ] = None
    service_account_annotations: dict[str, str] = Field(
        default={},
        description="Annotations of the worker's ServiceAccount, such as eks.amazonaws.com/role-arn, by which the "
        "platform gives it an identity.",
    )
    pod_labels: dict[str, str] = Field(
        default={},
        description='Labels of the worker\'s pods beside ours, such as azure.workload.identity/use: "true".',
    )

    def tolerations_on_wire(self) -> list[dict[str, Any]]:
        return [toleration.to_wire() for toleration in self.tolerations]
