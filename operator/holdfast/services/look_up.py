"""Policies, runs and restores for somebody who may see them, from the mirror: no request but for who they are."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Generic, NoReturn, TypeVar

from pydantic import ValidationError

from holdfast.errors import ClusterUnavailable, NotAuthorized, PolicyNotFound, RunNotFound
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Kind, KubeObject, Mirror, Reviewer, Viewer
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun
from holdfast.services.rights import GET_POLICIES, ROLES, Right

Place = tuple[float, str, str]
"""Where one stands in a list: by its time, if that counts, then by namespace and name."""

_log = logging.getLogger(__name__)

Found = TypeVar("Found", BackupPolicy, BackupRun, RestoreRun)


class Listing(Generic[Found]):
    """What was found, in order. Only what is shown of it is made a model: a page costs the same in a long list."""

    def __init__(
        self, kind: Kind, bodies: Iterable[KubeObject], parse: Callable[[KubeObject], Found], *, by_time: bool
    ) -> None:
        placed = sorted(((_place(body, by_time=by_time), body) for body in bodies), key=lambda one: one[0])
        self.places: Sequence[Place] = [place for place, _body in placed]
        self._bodies = [body for _place, body in placed]
        self._kind = kind
        self._parse: Callable[[KubeObject], Found] = parse

    def models(self, part: slice = slice(None)) -> list[Found]:
        """Those of a part. One that is not understood is left out, and the log says so."""
        found = []
        for body in self._bodies[part]:
            try:
                found.append(self._parse(body))
            except ValidationError as error:  # of another version of Holdfast: the others are shown all the same
                where = error.errors(include_input=False, include_url=False)[0]["loc"]
                name = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
                _log.warning("%s %s is not understood at %s.", self._kind.name, name, where)
        return found


class LookUp:
    """Raises NotAuthorized where the viewer has no right at all, ClusterUnavailable before the mirror is complete."""

    def __init__(self, mirror: Mirror, reviewer: Reviewer) -> None:
        self._mirror, self._reviewer = mirror, reviewer

    def policies(self, viewer: Viewer, namespace: str | None = None) -> Listing[BackupPolicy]:
        """By namespace and name."""
        found = self._seen(viewer, BACKUP_POLICY, "list", namespace)
        return Listing(BACKUP_POLICY, found, BackupPolicy.model_validate, by_time=False)

    def runs(
        self, viewer: Viewer, namespace: str | None = None, policy: str | None = None, phase: str | None = None
    ) -> Listing[BackupRun]:
        """Newest first."""

        def wanted(body: KubeObject) -> bool:
            return policy in (None, body["spec"]["policyRef"]["name"]) and _in_phase(body, phase)

        found = self._seen(viewer, BACKUP_RUN, "list", namespace, wanted)
        return Listing(BACKUP_RUN, found, BackupRun.model_validate, by_time=True)

    def restores(self, viewer: Viewer, namespace: str | None = None, phase: str | None = None) -> Listing[RestoreRun]:
        """Newest first."""

        def wanted(body: KubeObject) -> bool:
            return _in_phase(body, phase)

        found = self._seen(viewer, RESTORE_RUN, "list", namespace, wanted)
        return Listing(RESTORE_RUN, found, RestoreRun.model_validate, by_time=True)

    def policy(
        self, viewer: Viewer, namespace: str | None, name: str | None, right: Right = GET_POLICIES
    ) -> BackupPolicy:
        """The one that is meant; neither name nor namespace is needed where only one answers.

        ``right``: what the viewer must be allowed where the policy is. Raises PolicyNotFound. Who has it not in a
        namespace is not told either what is there.
        """

        def wanted(body: KubeObject) -> bool:
            return name in (None, body["metadata"]["name"])

        bodies = self._seen(viewer, BACKUP_POLICY, right.verb, namespace, wanted, right.kind)
        found = Listing(BACKUP_POLICY, bodies, BackupPolicy.model_validate, by_time=False).models()
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

    def check_watching(self, viewer: Viewer, namespace: str | None) -> None:
        """NotAuthorized for who may watch no policy there, or nowhere at all."""
        self._seen(viewer, BACKUP_POLICY, "watch", namespace)

    def may_watch(self, viewer: Viewer, kind: Kind, namespace: str) -> bool:
        return any(self._reviewer.allows(viewer, "watch", kind, place) for place in (None, namespace))

    def started_run(self, namespace: str, name: str) -> BackupRun | None:
        """For who has started it; None where the mirror has it not, yet or any more."""
        for body in self._mirror.objects(BACKUP_RUN, namespace):
            if body["metadata"]["name"] == name:
                return BackupRun.model_validate(body)
        return None

    def runs_of(self, policy: BackupPolicy) -> Listing[BackupRun]:
        """Newest first, for who may see the policy: what they show is a part of its status."""
        place, name = policy.metadata.namespace, policy.metadata.name
        mine = (body for body in self._mirror.objects(BACKUP_RUN, place) if body["spec"]["policyRef"]["name"] == name)
        return Listing(BACKUP_RUN, mine, BackupRun.model_validate, by_time=True)

    def newest_runs(self, policies: Sequence[BackupPolicy], count: int) -> list[list[BackupRun]]:
        """The same of several policies at once: the newest few of each, in the order of the policies."""
        mine: dict[tuple[str, str], list[KubeObject]] = {
            (one.metadata.namespace, one.metadata.name): [] for one in policies
        }
        for body in self._mirror.objects(BACKUP_RUN):
            key = (body["metadata"]["namespace"], body["spec"]["policyRef"]["name"])
            if key in mine:
                mine[key].append(body)
        return [
            Listing(BACKUP_RUN, bodies, BackupRun.model_validate, by_time=True).models(slice(count))
            for bodies in mine.values()
        ]

    def run(self, viewer: Viewer, namespace: str, name: str) -> BackupRun:
        """The one of that name. Raises RunNotFound."""
        bodies = self._seen(viewer, BACKUP_RUN, "get", namespace, lambda body: body["metadata"]["name"] == name)
        found = Listing(BACKUP_RUN, bodies, BackupRun.model_validate, by_time=True).models()
        return found[0] if found else _no_run(BACKUP_RUN, namespace, name)

    def restore(self, viewer: Viewer, namespace: str, name: str) -> RestoreRun:
        """The one of that name. Raises RunNotFound."""
        bodies = self._seen(viewer, RESTORE_RUN, "get", namespace, lambda body: body["metadata"]["name"] == name)
        found = Listing(RESTORE_RUN, bodies, RestoreRun.model_validate, by_time=True).models()
        return found[0] if found else _no_run(RESTORE_RUN, namespace, name)

    def _seen(
        self,
        viewer: Viewer,
        kind: Kind,
        verb: str,
        namespace: str | None,
        wanted: Callable[[KubeObject], bool] = lambda _body: True,
        asked: Kind | None = None,
    ) -> list[KubeObject]:
        """``asked``: of which kind the viewer's right is, if it is not that of the objects."""
        if not self._mirror.complete():
            raise ClusterUnavailable("The cluster is still being read.", hint="Try again in a few seconds.")
        bodies, right = self._mirror.objects(kind, namespace), asked or kind
        if namespace is not None:
            if not self._reviewer.allows(viewer, verb, right, namespace):
                raise _forbidden(viewer, verb, right, f"in the namespace {namespace}")
            places = {namespace}
        else:
            places = {body["metadata"]["namespace"] for body in bodies}
            if not self._reviewer.allows(viewer, verb, right, None):
                places = {place for place in sorted(places) if self._reviewer.allows(viewer, verb, right, place)}
                if not places:
                    raise _forbidden(viewer, verb, right, "in any namespace that has some")
        return [body for body in bodies if body["metadata"]["namespace"] in places and wanted(body)]


def _no_run(kind: Kind, namespace: str, name: str) -> NoReturn:
    raise RunNotFound(
        f"There is no {kind.name} {namespace}/{name}.",
        hint="It may have been removed: a policy keeps so many runs, by spec.historyLimits.",
    )


def _place(body: KubeObject, *, by_time: bool) -> Place:
    metadata = body["metadata"]
    made = datetime.fromisoformat(metadata["creationTimestamp"]).timestamp() if by_time else 0.0
    return -made, metadata["namespace"], metadata["name"]


def _in_phase(body: KubeObject, phase: str | None) -> bool:
    return phase is None or body.get("status", {}).get("phase") == phase


def _forbidden(viewer: Viewer, verb: str, kind: Kind, where: str) -> NotAuthorized:
    return NotAuthorized(
        f"{viewer.name} may not {verb} {kind.plural} {where}.",
        hint=f"Bind a role that lets you, such as {ROLES.get(kind, 'the cluster role view')}, in that namespace.",
    )
