"""``holdfast web``: the HTTP API and the dashboard."""

import time
from datetime import timedelta

from pydantic import ValidationError

from holdfast.cli.environment import settings_error, start_logging
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.kube.mirror import KubeMirror
from holdfast.kube.reviewer import KubeReviewer, NamespacedReviewer
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Reviewer
from holdfast.services.know_viewers import KnownViewers
from holdfast.settings import WebSettings
from holdfast.web.app import create_app
from holdfast.web.audit import Audit
from holdfast.web.event_stream import Bell
from holdfast.web.server import serve
from holdfast.web.session import Sessions, read_key
from holdfast.wiring import now


def run_web() -> None:
    """Run the HTTP API and the dashboard. They take their settings from the environment: HOLDFAST_PORT and others."""
    try:
        settings = WebSettings()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    connection = Connection.from_environment()
    mirror = KubeMirror(connection, (BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN), settings.watch_namespaces)
    mirror.start()
    reviewer: Reviewer = KubeReviewer(connection, settings.audiences)
    if settings.watch_namespaces:
        reviewer = NamespacedReviewer(connection, settings.watch_namespaces)
    known = KnownViewers(reviewer, time.monotonic)
    bell = Bell()
    sessions = Sessions(read_key(settings.session_key_file), timedelta(seconds=settings.session_seconds), now)
    app = create_app(mirror, known, KubeCluster(connection), Audit(now), sessions, now, bell)
    serve(app, settings.port, settings.trusted_proxies, bell.close)
