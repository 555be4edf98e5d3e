"""``holdfast operator``: the controller of BackupPolicies, BackupRuns and RestoreRuns."""

import sys
from collections.abc import Sequence
from threading import Event

from pydantic import ValidationError

from holdfast.cli.environment import settings_error, start_logging
from holdfast.cli.leading import lead, ticks
from holdfast.errors import HoldfastError, InvalidInput, Unavailable
from holdfast.handlers.operator import run
from holdfast.handlers.reconciler import Reconciler
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Cluster, Meter
from holdfast.services.census import Census
from holdfast.services.fence import FencedMailer, FencedMessenger, FencedPinger, LeaseFence
from holdfast.settings import OperatorSettings
from holdfast.specs.worker import WorkerImage
from holdfast.wiring.opening import now
from holdfast.wiring.telling import (
    Looks,
    open_house,
    open_mailer,
    open_messenger,
    open_metrics,
    open_pinger,
    open_probe,
    open_signups,
)

SWITCH_SECONDS = 0.001
"""How long one thread keeps the interpreter from the others. With Python's own 5 ms and twenty busy threads, the loop
that hears events and answers probes had its turn six times a second."""


def run_operator() -> None:
    """Run the Kubernetes operator. It takes its settings from the environment: HOLDFAST_IMAGE and others."""
    try:
        settings = OperatorSettings()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    sys.setswitchinterval(SWITCH_SECONDS)
    fence = LeaseFence(ticks) if settings.lease else None
    cluster = KubeCluster(Connection.from_environment(fence=fence))
    try:
        check_rights(cluster, settings.watch_namespaces)
    except Unavailable:
        if fence is None:
            raise  # else it is looked at again before the work begins
    census = Census(now)
    meter = open_metrics(census.samples, settings.metrics_port)
    reconciler = _reconciler(settings, cluster, census, meter, fence)

    def work(stop: Event) -> None:
        check_rights(cluster, settings.watch_namespaces)
        run(reconciler, namespaces=settings.watch_namespaces, liveness_port=settings.liveness_port, stop=stop)

    if fence is None:
        work(Event())
    else:
        lead(settings, fence, work)


def _reconciler(
    settings: OperatorSettings, cluster: Cluster, census: Census, meter: Meter, fence: LeaseFence | None
) -> Reconciler:
    looks = Looks.of(settings)
    mailer, pinger = open_mailer(looks), open_pinger()
    messenger = open_messenger(settings.channel_schemes, looks)
    if fence is not None:
        mailer, pinger = FencedMailer(mailer, fence), FencedPinger(pinger, fence)
        messenger = FencedMessenger(messenger, fence)
    return Reconciler(
        cluster,
        WorkerImage(settings.image, settings.image_pull_policy, queued=settings.max_concurrent_runs > 0),
        clock=now,
        mailer=mailer,
        messenger=messenger,
        pinger=pinger,
        probe=open_probe(),
        signups=open_signups(),
        census=census,
        meter=meter,
        namespaces=settings.watch_namespaces,
        interval=settings.resync_seconds,
        workers=settings.workers,
        max_concurrent_runs=settings.max_concurrent_runs,
        house=open_house(settings.smtp_folder),
    )


def check_rights(cluster: Cluster, namespaces: Sequence[str]) -> None:
    """InvalidInput if what is to be watched cannot even be listed; it costs one page of each kind."""
    for kind in (BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN):
        for namespace in namespaces or (None,):
            try:
                next(iter(cluster.each(kind, namespace)), None)
            except Unavailable:
                raise
            except HoldfastError as error:
                raise InvalidInput(f"{kind.plural} cannot be listed: {error}") from error
