"""The lists: policies, runs and restores in pages."""

from fastapi import FastAPI, Response

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.services.look_up import LookUp
from holdfast.web.answering import answered
from holdfast.web.answers import Policies, PolicyAnswer, RestoreAnswer, Restores, RunAnswer, Runs
from holdfast.web.pages import page
from holdfast.web.parameters import PAGE, REFUSALS, After, Limit, Namespace, Policy, Somebody


def add_lists(app: FastAPI, look_up: LookUp) -> None:
    @app.get("/api/policies", response_model=Policies, responses=REFUSALS)
    async def policies(
        viewer: Somebody, namespace: Namespace = None, limit: Limit = PAGE, after: After = None
    ) -> Response:
        """The BackupPolicies that you may list, by namespace and name."""

        def make() -> Policies:
            found = look_up.policies(viewer, namespace)
            part, more = page(found.places, after, limit)
            return Policies(items=tuple(PolicyAnswer.of(one) for one in found.models(part)), after=more)

        return await answered(make)

    @app.get("/api/runs", response_model=Runs, responses=REFUSALS)
    async def runs(
        viewer: Somebody,
        namespace: Namespace = None,
        policy: Policy = None,
        phase: Phase | None = None,
        limit: Limit = PAGE,
        after: After = None,
    ) -> Response:
        """The BackupRuns that you may list, newest first."""

        def make() -> Runs:
            found = look_up.runs(viewer, namespace, policy, phase)
            part, more = page(found.places, after, limit)
            return Runs(items=tuple(RunAnswer.of(one) for one in found.models(part)), after=more)

        return await answered(make)

    @app.get("/api/restores", response_model=Restores, responses=REFUSALS)
    async def restores(
        viewer: Somebody,
        namespace: Namespace = None,
        phase: RestorePhase | None = None,
        limit: Limit = PAGE,
        after: After = None,
    ) -> Response:
        """The RestoreRuns that you may list, newest first."""

        def make() -> Restores:
            found = look_up.restores(viewer, namespace, phase)
            part, more = page(found.places, after, limit)
            return Restores(items=tuple(RestoreAnswer.of(one) for one in found.models(part)), after=more)

        return await answered(make)
