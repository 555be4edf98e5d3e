"""``holdfast operator``: the controller of BackupPolicies, BackupRuns and RestoreRuns."""

from pydantic import ValidationError

from holdfast.cli.environment import settings_error, start_logging
from holdfast.errors import HoldfastError, InvalidInput, Unavailable
from holdfast.handlers.operator import run
from holdfast.handlers.reconciler import Reconciler
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN
from holdfast.services.census import Census
from holdfast.settings import OperatorSettings
from holdfast.specs.worker import WorkerImage
from holdfast.wiring import now, open_mailer, open_messenger, open_metrics, open_pinger, open_probe, open_signups


def run_operator() -> None:
    """Run the Kubernetes operator. It takes its settings from the environment: HOLDFAST_IMAGE and others."""
    try:
        settings = OperatorSettings()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    cluster = KubeCluster(Connection.from_environment())
    for kind in (BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN):
        for namespace in settings.watch_namespaces or (None,):
            try:
                cluster.list(kind, namespace)
            except Unavailable:
                raise
            except HoldfastError as error:
                raise InvalidInput(f"{kind.plural} cannot be listed: {error}") from error
    census = Census(now)
    meter = open_metrics(census.samples, settings.metrics_port)
    reconciler = Reconciler(
        cluster,
        WorkerImage(settings.image, settings.image_pull_policy, queued=settings.max_concurrent_runs > 0),
        clock=now,
        mailer=open_mailer(name=settings.mail_name, colour=settings.mail_colour, link=settings.mail_link),
        messenger=open_messenger(
            settings.channel_schemes, name=settings.mail_name, colour=settings.mail_colour, link=settings.mail_link
        ),
        pinger=open_pinger(),
        probe=open_probe(),
        signups=open_signups(),
        census=census,
        meter=meter,
        namespaces=settings.watch_namespaces,
        interval=settings.resync_seconds,
        workers=settings.workers,
        max_concurrent_runs=settings.max_concurrent_runs,
    )
    run(reconciler, namespaces=settings.watch_namespaces, liveness_port=settings.liveness_port)
