"""``holdfast worker archive``: what runs in the pod of an archiver."""

from functools import partial
from pathlib import Path

from pydantic import ValidationError

from holdfast.cli.environment import settings_error, start_logging
from holdfast.cli.options import stop_on_signals
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.services.run_archive import ArchiveWorker
from holdfast.settings import ArchiveSettings
from holdfast.wiring.opening import now
from holdfast.wiring.policies import open_for_archive


def worker_archive() -> None:
    """Archive until a signal ends it."""
    try:
        settings = ArchiveSettings()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    stop = stop_on_signals()
    ArchiveWorker(
        settings.namespace,
        settings.policy,
        KubeCluster(Connection.from_environment(connect_seconds=3, read_seconds=10)),
        partial(open_for_archive, mounts=Path(settings.mounts)),
        clock=now,
        stop=stop,
        wait=stop.wait,
    ).work()
