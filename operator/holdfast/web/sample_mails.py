"""``GET, POST /api/admin/test-email``: whether mail is set up, and a mail with sample data to those who
get the others."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Query, Request

from holdfast.domain.rate import Rate
from holdfast.errors import HoldfastError, MailRefused, NotAuthorized
from holdfast.ports import Cluster, Mailer, Viewer
from holdfast.services.look_up import LookUp
from holdfast.services.mail_account import House, NoMail, mail_account
from holdfast.services.rights import SEND_TEST_MAIL
from holdfast.services.send_sample import send_sample
from holdfast.specs.sample_letters import Sample
from holdfast.web.answers import MailAnswer, SampleMailSent
from holdfast.web.audit import Audit
from holdfast.web.limits import Limiter, TooMany
from holdfast.web.parameters import REFUSALS, Namespace, Policy, Somebody, origin_of
from holdfast.web.problems import documented

PATH = "/api/admin/test-email"
ACTION = "TestMail"
RATE = Rate(burst=5, seconds=60)
"""For each user."""

_Kind = Annotated[Sample, Query(description="Which mail. All but `test` say that they are samples.")]


class SampleMails:
    """Tells of a policy's mail and tries it out, for who may, and says in the audit log who that was."""

    def __init__(
        self,
        look_up: LookUp,
        mailer: Mailer | None,
        cluster: Cluster,
        audit: Audit,
        clock: Callable[[], datetime],
        seconds: Callable[[], float],
        house: House,
    ) -> None:
        """``mailer``: None where this is switched off; ``seconds``: a clock that never goes back."""
        self._look_up, self._mailer, self._cluster = look_up, mailer, cluster
        self._audit, self._clock, self._house = audit, clock, house
        self._limiter = Limiter("test mails", RATE, seconds)

    @property
    def on(self) -> bool:
        return self._mailer is not None

    def settings(self, viewer: Viewer, namespace: str | None, name: str | None) -> MailAnswer:
        """What is wrong with them is the answer, too."""
        self._switched_on()
        policy = self._look_up.policy(viewer, namespace, name, SEND_TEST_MAIL)
        who = {"namespace": policy.metadata.namespace, "policy": policy.metadata.name}
        try:
            account = mail_account(self._cluster, policy, self._house)
        except HoldfastError as error:
            words = f"{error.message} {error.hint or ''}".strip()
            return MailAnswer(**who, configured=False, reason=error.reason, message=words)
        if isinstance(account, NoMail):
            return MailAnswer(**who, configured=False, reason=account.reason, message=account.message)
        return MailAnswer(
            **who,
            configured=True,
            reason="Configured",
            message=str(account),
            server=str(account.server),
            sender=account.server.sender.address if account.server else None,
            recipients=tuple(account.recipients),
        )

    def send(
        self, request: Request, viewer: Viewer, namespace: str | None, name: str | None, sample: Sample
    ) -> SampleMailSent:
        """Raises what refuses it: the right, the settings, or the mail server."""
        place, of, origin = namespace or "", name or "", origin_of(request)
        try:
            mailer = self._switched_on()
            policy = self._look_up.policy(viewer, namespace, name, SEND_TEST_MAIL)
            place, of = policy.metadata.namespace, policy.metadata.name
            self._limiter.admit(viewer.name)
            sent = send_sample(self._cluster, mailer, viewer, policy, sample, self._clock(), house=self._house)
            if sent.refusal is not None:
                raise _refused(sent.refusal, sent.taken)
        except (HoldfastError, TooMany) as error:
            self._audit.tell(viewer, ACTION, place, of, origin=origin, result=error.reason)
            raise
        self._audit.tell(viewer, ACTION, place, of, origin=origin, result="Done")
        server = str(sent.server)
        return SampleMailSent(
            namespace=place, policy=of, kind=sample, server=server, recipients=sent.taken, note=sent.fault or None
        )

    def _switched_on(self) -> Mailer:
        if self._mailer is None:
            raise NotAuthorized("Test mails are switched off.", hint="The chart's value web.testMail allows them.")
        return self._mailer


def add_sample_mails(app: FastAPI, mails: SampleMails) -> None:
    refusals = {**REFUSALS, **documented(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)}

    @app.get(PATH, response_model_exclude_none=True, responses=refusals)
    def mail_settings(viewer: Somebody, namespace: Namespace = None, policy: Policy = None) -> MailAnswer:
        """Whether a policy's mail is set up, by which server and to whom; no secrets."""
        return mails.settings(viewer, namespace, policy)

    @app.post(
        PATH,
        response_model_exclude_none=True,
        responses={**refusals, **documented(HTTPStatus.TOO_MANY_REQUESTS)},
    )
    def send_mail(
        request: Request,
        viewer: Somebody,
        namespace: Namespace = None,
        policy: Policy = None,
        kind: _Kind = Sample.TEST,
    ) -> SampleMailSent:
        """Send a mail with sample data to the recipients of the policy, and to nobody else."""
        return mails.send(request, viewer, namespace, policy, kind)


def _refused(refusal: HoldfastError, taken: tuple[str, ...]) -> HoldfastError:
    """With whom it was sent to all the same."""
    if not taken:
        return refusal
    return MailRefused(f"{refusal.message} It was taken for {', '.join(taken)}.", hint=refusal.hint)
