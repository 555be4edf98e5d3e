"""Reads the state of Jobs and pods out of their JSON."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from holdfast.domain.run_end import JobState, PodState
from holdfast.ports import KubeObject
from holdfast.specs.names import INDEX_ANNOTATION, WORKER_CONTAINER


def job_state(job: KubeObject, refusals: Sequence[KubeObject] = ()) -> JobState:
    """``refusals`` are the events that say why the Job could not create a pod."""
    spec, status, metadata = job.get("spec", {}), job.get("status", {}), job["metadata"]
    end = _condition(status, "Complete") or _condition(status, "Failed")
    coming = _condition(status, "FailureTarget")
    said = end or coming
    newest: KubeObject = max(refusals, key=_event_time, default={})
    return JobState(
        name=metadata["name"],
        started=parse_time(status.get("startTime")) or parse_time(metadata.get("creationTimestamp")) or _EPOCH,
        end=end.get("type", ""),
        failing_since=parse_time(coming.get("lastTransitionTime")),
        reason=said.get("reason", ""),
        message=said.get("message", ""),
        deadline_seconds=spec.get("activeDeadlineSeconds", 0),
        deleting="deletionTimestamp" in metadata,
        suspended=bool(spec.get("suspend")),
        refusal=newest.get("message", "").removeprefix("Error creating: ").strip(),
    )


def pod_state(pod: KubeObject) -> PodState:
    metadata, status = pod["metadata"], pod.get("status", {})
    container = _named(pod.get("spec", {}).get("containers"))
    container_status = _named(status.get("containerStatuses"))
    state: Mapping[str, Any] = container_status.get("state", {})
    waiting, terminated = state.get("waiting", {}), state.get("terminated", {})
    scheduled = _condition(status, "PodScheduled", "False")
    finished = bool(terminated) or status.get("phase") in ("Failed", "Succeeded")
    return PodState(
        name=metadata["name"],
        created=parse_time(metadata.get("creationTimestamp")) or _EPOCH,
        image=container.get("image", ""),
        memory_limit=str(container.get("resources", {}).get("limits", {}).get("memory", "")),
        started="running" in state or finished,
        finished=finished,
        index=int(index) if (index := _annotations(metadata).get(INDEX_ANNOTATION, "")).isdigit() else None,
        waiting_reason=waiting.get("reason", ""),
        waiting_message=waiting.get("message", ""),
        unschedulable=scheduled.get("message", "") if scheduled.get("reason") == "Unschedulable" else "",
        exit_code=terminated.get("exitCode"),
        terminated_reason=terminated.get("reason", ""),
        terminated_message=terminated.get("message", ""),
        pod_reason=status.get("reason", ""),
        pod_message=status.get("message", ""),
    )


def _annotations(metadata: Mapping[str, Any]) -> Mapping[str, str]:
    return metadata.get("annotations") or {}


def parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def newer_than(event: KubeObject, moment: datetime | None) -> bool:
    return moment is None or (parse_time(_event_time(event)) or moment) > moment


def _condition(status: Mapping[str, Any], type_: str, value: str = "True") -> Mapping[str, Any]:
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == type_ and c.get("status") == value), {})


def _named(items: Sequence[Mapping[str, Any]] | None) -> Mapping[str, Any]:
    return next((item for item in items or () if item.get("name") == WORKER_CONTAINER), {})


def _event_time(event: KubeObject) -> str:
    moment = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    return str(moment or "")
