"""Policies, runs and restores for somebody who may see them, from the mirror: no request but for who they are."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError

from holdfast.errors import ClusterUnavailable, NotAuthorized, PolicyNotFound
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Kind, KubeObject, Mirror, Reviewer, Viewer
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun

_OLDEST = datetime.min.replace(tzinfo=UTC)
_log = logging.getLogger(__name__)

Found = TypeVar("Found", BackupPolicy, BackupRun, RestoreRun)


class LookUp:
    """Raises NotAuthorized where the viewer has no right at all, ClusterUnavailable before the mirror is complete."""

    def __init__(self, mirror: Mirror, reviewer: Reviewer) -> None:
        self._mirror, self._reviewer = mirror, reviewer

    def policies(self, viewer: Viewer, namespace: str | None = None) -> list[BackupPolicy]:
        """By namespace and name."""
        found = self._seen(viewer, BACKUP_POLICY, "list", namespace, BackupPolicy.model_validate)
        return sorted(found, key=lambda policy: (policy.metadata.namespace, policy.metadata.name))

    def runs(
        self, viewer: Viewer, namespace: str | None = None, policy: str | None = None, phase: str | None = None
    ) -> list[BackupRun]:
        """Newest first."""

        def wanted(body: KubeObject) -> bool:
            return policy in (None, body["spec"]["policyRef"]["name"]) and _in_phase(body, phase)

        found = self._seen(viewer, BACKUP_RUN, "list", namespace, BackupRun.model_validate, wanted)
        return newest_first(found)

    def restores(self, viewer: Viewer, namespace: str | None = None, phase: str | None = None) -> list[RestoreRun]:
        """Newest first."""

        def wanted(body: KubeObject) -> bool:
            return _in_phase(body, phase)

        found = self._seen(viewer, RESTORE_RUN, "list", namespace, RestoreRun.model_validate, wanted)
        return newest_first(found)

    def policy(self, viewer: Viewer, namespace: str | None, name: str | None) -> BackupPolicy:
        """The one that is meant; neither name nor namespace is needed where only one answers.

        Raises PolicyNotFound. Who may not look into a namespace is not told either what is there.
        """
        found = self._seen(
            viewer,
            BACKUP_POLICY,
            "get",
            namespace,
            BackupPolicy.model_validate,
            lambda body: name in (None, body["metadata"]["name"]),
        )
        if not found:
            named = f" {name}" if name else ""
            raise PolicyNotFound(
                f"There is no BackupPolicy{named} that you may see.", hint="/api/policies lists those that you may."
            )
        if len(found) > 1:
            raise PolicyNotFound(
                f"{len(found)} BackupPolicies answer.",
                hint="Name one by ?namespace= and ?policy=; /api/policies lists them.",
            )
        return found[0]

    def runs_of(self, policy: BackupPolicy) -> list[BackupRun]:
        """Newest first, for who may see the policy: what they show is a part of its status."""
        place, name = policy.metadata.namespace, policy.metadata.name
        mine = (
            body
            for body in self._mirror.objects(BACKUP_RUN)
            if body["metadata"]["namespace"] == place and body["spec"]["policyRef"]["name"] == name
        )
        return newest_first(_parsed(BACKUP_RUN, mine, BackupRun.model_validate))

    def _seen(
        self,
        viewer: Viewer,
        kind: Kind,
        verb: str,
        namespace: str | None,
        parse: Callable[[KubeObject], Found],
        wanted: Callable[[KubeObject], bool] = lambda _body: True,
    ) -> list[Found]:
        if not self._mirror.complete():
            raise ClusterUnavailable("The cluster is still being read.", hint="Try again in a few seconds.")
        bodies = self._mirror.objects(kind)
        if namespace is not None:
            if not self._reviewer.allows(viewer, verb, kind, namespace):
                raise _forbidden(viewer, verb, kind, f"in the namespace {namespace}")
            return _parsed(kind, (b for b in bodies if b["metadata"]["namespace"] == namespace and wanted(b)), parse)
        if not self._reviewer.allows(viewer, verb, kind, None):
            places = {body["metadata"]["namespace"] for body in bodies}
            mine = {place for place in sorted(places) if self._reviewer.allows(viewer, verb, kind, place)}
            if not mine:
                raise _forbidden(viewer, verb, kind, "in any namespace that has some")
            bodies = [body for body in bodies if body["metadata"]["namespace"] in mine]
        return _parsed(kind, filter(wanted, bodies), parse)


def newest_first(found: Iterable[Found]) -> list[Found]:
    """The same order whenever it is asked for: by time, then by name."""

    def key(one: Found) -> tuple[float, str, str]:
        made = one.metadata.creation_timestamp or _OLDEST
        return -made.timestamp(), one.metadata.namespace, one.metadata.name

    return sorted(found, key=key)


def _in_phase(body: KubeObject, phase: str | None) -> bool:
    return phase is None or body.get("status", {}).get("phase") == phase


def _parsed(kind: Kind, bodies: Iterable[KubeObject], parse: Callable[[KubeObject], Found]) -> list[Found]:
    found = []
    for body in bodies:
        try:
            found.append(parse(body))
        except ValidationError as error:  # of another version of Holdfast: the others are shown all the same
            where: Sequence[object] = error.errors(include_input=False, include_url=False)[0]["loc"]
            metadata = body["metadata"]
            _log.warning("%s %s/%s is not understood at %s.", kind.name, metadata["namespace"], metadata["name"], where)
    return found


def _forbidden(viewer: Viewer, verb: str, kind: Kind, where: str) -> NotAuthorized:
    return NotAuthorized(
        f"{viewer.name} may not {verb} {kind.plural} {where}.",
        hint="Bind a role that lets you, such as the cluster role view, in that namespace.",
    )
