"""What is watched, and what each change has looked at."""

import asyncio
import logging
import signal
import socket
from collections.abc import Sequence
from threading import Event
from typing import Any, cast

import kopf

from holdfast.handlers.reconciler import Reconciler
from holdfast.ports import (
    BACKUP_POLICY,
    BACKUP_RUN,
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    RESTORE_RUN,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Kind,
    KubeObject,
)
from holdfast.services.follow_job import JOB_NAME_LABEL
from holdfast.services.survey import Key, has_ended, key_of, run_key
from holdfast.services.write_status import parse_restore
from holdfast.specs.names import MANAGED_BY, POLICY_LABEL, RESTORE_ANNOTATION

_log = logging.getLogger("holdfast.operator")

GROUP = "holdfast.dev"
OWNED = {
    ("batch", "cronjobs"): CRON_JOB,
    ("apps", "deployments"): DEPLOYMENT,
    ("", "serviceaccounts"): SERVICE_ACCOUNT,
    ("rbac.authorization.k8s.io", "roles"): ROLE,
    ("rbac.authorization.k8s.io", "rolebindings"): ROLE_BINDING,
}
OURS = f"{MANAGED_BY}=holdfast,{POLICY_LABEL}"


def build_registry(reconciler: Reconciler, stop: Event) -> kopf.OperatorRegistry:
    """All handlers, bound to one reconciler."""
    registry = kopf.OperatorRegistry()
    _register_activities(registry, reconciler, stop)
    _register_resources(registry, reconciler)
    _register_owned(registry, reconciler)
    return registry


def _register_activities(registry: kopf.OperatorRegistry, reconciler: Reconciler, stop: Event) -> None:
    task: asyncio.Task[None] | None = None

    @kopf.on.startup(registry=registry, id="start")
    async def start(settings: kopf.OperatorSettings, **_: Any) -> None:
        nonlocal task
        configure(settings)
        asyncio.get_running_loop().set_exception_handler(tell_trouble)
        if stop.is_set():  # from here on Kopf hears signals itself
            signal.raise_signal(signal.SIGTERM)
        task = asyncio.create_task(reconciler.run(), name="reconciler")

    @kopf.on.login(registry=registry, id="login")
    def login(**arguments: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**arguments) or kopf.login_via_client(**arguments)

    @kopf.on.cleanup(registry=registry, id="stop")
    async def end(**_: Any) -> None:
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        reconciler.close()

    @kopf.on.probe(registry=registry, id="reconciler")
    async def probe(**_: Any) -> str:
        if task is None or task.done() or not reconciler.alive():
            raise kopf.PermanentError("the reconciler stands still")
        return "alive"


class _Phases:
    """The phases of all runs, as events told them, and the wishes that may come later: to be cancelled, to be deleted,
    and what is to go then. Progress alone is nobody's business here: it comes every other second."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, ...]] = {}

    def new(self, body: kopf.Body, *, listed: bool = False) -> bool:
        """Whether a run has a new one. ``listed``: it was there before we came. One that had ended by then is no news:
        what is left to do for it, its Job tells; and there may be thousands."""
        uid, leaving = str(body["metadata"]["uid"]), "deletionTimestamp" in body["metadata"]
        phase = (body.get("status", {}).get("phase"), leaving, dict(body["spec"]))
        known = uid in self._known
        changed = not known or self._known[uid] != phase
        self._known[uid] = phase
        return changed and (known or not listed or leaving or not has_ended(dict(body)))

    def forget(self, body: kopf.Body) -> None:
        self._known.pop(str(body["metadata"]["uid"]), None)


def counted(reconciler: Reconciler, event: kopf.RawEvent, kind: Kind, body: kopf.Body) -> bool:
    """Count an object as it is now, or as gone; whether it is there."""
    there = event["type"] != "DELETED"
    (reconciler.seen if there else reconciler.gone)(kind, dict(body))
    return there


def _register_resources(registry: kopf.OperatorRegistry, reconciler: Reconciler) -> None:
    phases = _Phases()

    @kopf.on.event(GROUP, "backuppolicies", id="policy_changed", registry=registry)
    async def policy_changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if counted(reconciler, event, BACKUP_POLICY, body) and not (event["type"] is None and is_observed(body)):
            await reconciler.look_at(key_of("BackupPolicy", dict(body)))

    @kopf.on.event(GROUP, "backupruns", id="run_changed", registry=registry)
    async def run_changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if not counted(reconciler, event, BACKUP_RUN, body):
            phases.forget(body)
            await reconciler.cancel(dict(body))
        elif phases.new(body, listed=event["type"] is None):
            await reconciler.look_at(key_of("BackupRun", dict(body)))
        else:
            return
        policy = body["spec"]["policyRef"]["name"]
        await reconciler.look_at(Key("BackupPolicy", body["metadata"]["namespace"], policy), delay=0.5)

    @kopf.on.event(GROUP, "restoreruns", id="restore_changed", registry=registry)
    async def restore_changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if not counted(reconciler, event, RESTORE_RUN, body):
            phases.forget(body)
            await reconciler.cancel_restore(dict(body))
        elif phases.new(body):
            await look_at_restore(reconciler, dict(body))


def is_observed(body: kopf.Body) -> bool:
    """Whether a policy is as it was when it was last looked at. After a start such ones can wait for the survey, which
    looks at all: there may be hundreds, and those that have changed must not stand behind them."""
    return bool(body.get("status", {}).get("observedGeneration") == body["metadata"].get("generation"))


async def look_at_restore(reconciler: Reconciler, body: KubeObject) -> None:
    """And at the policy that tells people how it ended."""
    key = key_of("RestoreRun", body)
    await reconciler.look_at(key)
    if policy := parse_restore(body).policy_name:
        await reconciler.look_at(Key("BackupPolicy", key.namespace, policy), delay=0.5)


def _register_owned(registry: kopf.OperatorRegistry, reconciler: Reconciler) -> None:
    @kopf.on.event("batch", "jobs", id="job_changed", labels={POLICY_LABEL: kopf.PRESENT}, registry=registry)
    async def job_changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        counted(reconciler, event, JOB, body)
        await reconciler.look_at(run_key(dict(body)))

    @kopf.on.event("", "pods", id="pod_changed", labels={POLICY_LABEL: kopf.PRESENT}, registry=registry)
    async def pod_changed(body: kopf.Body, **_: Any) -> None:
        # A pod knows its Job, not its run. Where the two have different names, the Job's own events and the next
        # look at a run that has not started do.
        namespace, job = body["metadata"]["namespace"], body["metadata"].get("labels", {}).get(JOB_NAME_LABEL)
        if restore := body["metadata"].get("annotations", {}).get(RESTORE_ANNOTATION):
            await reconciler.look_at(Key("RestoreRun", namespace, restore), delay=0.2)
        elif job:
            await reconciler.look_at(Key("BackupRun", namespace, job), delay=0.2)

    async def owned_changed(event: kopf.RawEvent, body: kopf.Body, param: Any = None, **_: Any) -> None:
        counted(reconciler, event, param, body)
        if event["type"] not in ("MODIFIED", "DELETED"):
            return  # it was there before, or we have just made it: then its policy is being looked at anyway
        policy = body["metadata"]["labels"][POLICY_LABEL]
        await reconciler.look_at(Key("BackupPolicy", body["metadata"]["namespace"], policy), delay=0.2)

    for (group, plural), kind in OWNED.items():
        kopf.on.event(
            group,
            plural,
            labels={POLICY_LABEL: kopf.PRESENT},
            id=f"{plural}_changed",
            registry=registry,
            param=kind,
        )(owned_changed)


def configure(settings: kopf.OperatorSettings) -> None:
    """Kopf's settings: our own prefix, bounded requests, and no look at anything that we have no right to."""
    settings.persistence.finalizer = f"{GROUP}/finalizer"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    settings.networking.request_timeout = 30
    settings.watching.server_timeout = 600
    settings.watching.client_timeout = 660
    # A restart meets thousands of runs: they are read a few at a time, and not kept after their event was handled.
    settings.watching.chunk_size = 100
    settings.queueing.idle_timeout = 0.5
    settings.execution.max_workers = 32
    settings.posting.enabled = False
    settings.scanning.disabled = True
    for group, plural in (*OWNED, ("batch", "jobs"), ("", "pods")):
        settings.watching.label_selectors[group, plural] = OURS


def tell_trouble(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody awaited went wrong. A watch may still be at an event when the loop closes all that was left open: so
    the operator ends, and it is no trouble."""
    if "asyncgen" in context:
        _log.debug("%s: %r", context["message"], context.get("exception"))
    else:
        loop.default_exception_handler(context)


def run(reconciler: Reconciler, *, namespaces: Sequence[str], liveness_port: int, stop: Event) -> None:
    """Watch until a signal ends it. ``stop``: whether one came before."""
    _log.info("Watching %s.", ", ".join(namespaces) or "all namespaces")
    kopf.run(
        registry=build_registry(reconciler, stop),
        standalone=True,
        # Kopf's own default looks up the user's name, which a container's user does not have.
        identity=cast("Any", socket.gethostname()),
        clusterwide=not namespaces,
        namespaces=list(namespaces),
        liveness_endpoint=f"http://0.0.0.0:{liveness_port}/healthz" if liveness_port else None,
    )
