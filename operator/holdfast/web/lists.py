"""The lists: policies, runs and restores in pages."""

from fastapi import FastAPI

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.services.look_up import LookUp
from holdfast.web.answers import Policies, PolicyAnswer, RestoreAnswer, Restores, RunAnswer, Runs
from holdfast.web.pages import page
from holdfast.web.parameters import PAGE, REFUSALS, After, Limit, Namespace, Policy, Somebody


def add_lists(app: FastAPI, look_up: LookUp) -> None:
    @app.get("/api/policies", response_model_exclude_none=True, responses=REFUSALS)
    def policies(viewer: Somebody, namespace: Namespace = None, limit: Limit = PAGE, after: After = None) -> Policies:
        """The BackupPolicies that you may list, by namespace and name."""
        found = look_up.policies(viewer, namespace)
        part, more = page(found.places, after, limit)
        return Policies(items=tuple(PolicyAnswer.of(one) for one in found.models(part)), after=more)

    @app.get("/api/runs", response_model_exclude_none=True, responses=REFUSALS)
    def runs(
        viewer: Somebody,
        namespace: Namespace = None,
        policy: Policy = None,
        phase: Phase | None = None,
        limit: Limit = PAGE,
        after: After = None,
    ) -> Runs:
        """The BackupRuns that you may list, newest first."""
        found = look_up.runs(viewer, namespace, policy, phase)
        part, more = page(found.places, after, limit)
        return Runs(items=tuple(RunAnswer.of(one) for one in found.models(part)), after=more)

    @app.get("/api/restores", response_model_exclude_none=True, responses=REFUSALS)
    def restores(
        viewer: Somebody,
        namespace: Namespace = None,
        phase: RestorePhase | None = None,
        limit: Limit = PAGE,
        after: After = None,
    ) -> Restores:
        """The RestoreRuns that you may list, newest first."""
        found = look_up.restores(viewer, namespace, phase)
        part, more = page(found.places, after, limit)
        return Restores(items=tuple(RestoreAnswer.of(one) for one in found.models(part)), after=more)
