"""``GET /api/admin/backup?automated=true``: for a cron elsewhere. Nobody needs to be known for it, so it tells no
names, and starts no more than the schedules do."""

import hmac
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from fastapi import Request

from holdfast.domain.rate import Rate
from holdfast.errors import NotAuthorized
from holdfast.ports import Cluster, Mirror, Viewer
from holdfast.services.start_due import Outcome, start_due
from holdfast.web.answers import AutomatedAnswer
from holdfast.web.audit import Audit
from holdfast.web.limits import Limiter
from holdfast.web.parameters import origin_of
from holdfast.web.problems import Unknown

NOBODY = Viewer("system:anonymous")
"""As Kubernetes calls who shows no token."""
RATE = Rate(burst=30, seconds=2)
"""For each address."""


class Automated:
    """Starts what is due, for everybody or for who knows the secret."""

    def __init__(
        self,
        cluster: Cluster,
        mirror: Mirror,
        audit: Audit,
        clock: Callable[[], datetime],
        seconds: Callable[[], float],
        *,
        allowed: bool,
        secret: str | None,
    ) -> None:
        self._cluster, self._mirror, self._audit, self._clock = cluster, mirror, audit, clock
        self._allowed, self._secret = allowed, secret
        self._limiter = Limiter("requests", RATE, seconds)

    def answer(self, request: Request, namespace: str | None, policy: str | None) -> AutomatedAnswer:
        """Raises NotAuthorized where it is switched off, Unknown for who should know the secret and does not."""
        origin = origin_of(request)
        self._limiter.admit(origin)
        if not self._allowed:
            raise NotAuthorized(
                "Backups without a token are switched off.",
                hint="The chart's value web.automated.enabled allows them; POST with a token starts one.",
            )
        if self._secret is not None and not _same(request.headers.get("authorization", ""), f"Bearer {self._secret}"):
            raise Unknown("This needs the secret CRON_SECRET.", "Send it as `Authorization: Bearer …`.")
        outcomes: Counter[Outcome] = Counter()
        for seen in start_due(self._cluster, self._mirror, self._clock(), namespace, policy):
            outcomes[seen.outcome] += 1
            if seen.outcome is Outcome.STARTED:
                self._audit.tell(NOBODY, "AutomatedBackup", seen.namespace, seen.run, origin=origin, result="Done")
        return AutomatedAnswer(
            started=outcomes[Outcome.STARTED],
            there=outcomes[Outcome.THERE],
            busy=outcomes[Outcome.BUSY],
            suspended=outcomes[Outcome.SUSPENDED],
            not_due=outcomes[Outcome.NOT_DUE],
        )


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
