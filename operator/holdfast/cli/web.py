"""``holdfast web``: the HTTP API and the dashboard."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

from pydantic import ValidationError

from holdfast.cli.environment import settings_error, start_logging
from holdfast.kube.cluster import KubeCluster
from holdfast.kube.connection import Connection
from holdfast.kube.mirror import KubeMirror
from holdfast.kube.reviewer import KubeReviewer, NamespacedReviewer
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Reviewer
from holdfast.services.know_viewers import KnownViewers
from holdfast.services.rights import AdminsByName, DownloadsForAll
from holdfast.settings import WebSettings
from holdfast.web.app import create_app
from holdfast.web.audit import Audit
from holdfast.web.event_stream import Bell
from holdfast.web.features import Features
from holdfast.web.garbage import spare
from holdfast.web.server import serve
from holdfast.web.session import Sessions, read_key
from holdfast.wiring.opening import now
from holdfast.wiring.policies import repository_by_secrets
from holdfast.wiring.telling import Looks, open_house, open_mailer

RENEWALS = 2
"""So many answers on who may do what are renewed at once, while nobody waits for them."""
_SECRETS_HINT = "The chart gives its account that right while its value web.download is not Off."


def run_web() -> None:
    """Run the HTTP API and the dashboard. They take their settings from the environment: HOLDFAST_PORT and others."""
    try:
        settings = WebSettings()
    except ValidationError as error:
        raise settings_error(error) from None
    start_logging(settings.log_level)
    connection = Connection.from_environment()
    mirror = KubeMirror(connection, (BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN), settings.watch_namespaces)
    spare(mirror)
    mirror.start()
    cluster, bell = KubeCluster(connection), Bell()
    reviewer: Reviewer = KubeReviewer(connection, settings.audiences)
    if settings.watch_namespaces:
        reviewer = NamespacedReviewer(connection, settings.watch_namespaces)
    if settings.download == "Authenticated":
        reviewer = DownloadsForAll(reviewer)
    if settings.admin_email:
        reviewer = AdminsByName(reviewer, settings.admin_email)
    renewals = ThreadPoolExecutor(RENEWALS, "renewal")
    known = KnownViewers(reviewer, time.monotonic, renew=renewals.submit)
    opener = partial(repository_by_secrets, cluster, who="Holdfast's web", hint=_SECRETS_HINT)
    features = Features(
        opener=None if settings.download == "Off" else opener,
        automated=settings.automated,
        mailer=open_mailer(Looks.of(settings)) if settings.test_mail else None,
        house=open_house(settings.smtp_folder),
        cron_secret=settings.cron_secret.get_secret_value() if settings.cron_secret else None,
    )
    sessions = Sessions(read_key(settings.session_key_file), timedelta(seconds=settings.session_seconds), now)
    app = create_app(mirror, known, cluster, Audit(now), sessions, now, bell, features)
    serve(app, settings.port, settings.trusted_proxies, bell.close)
