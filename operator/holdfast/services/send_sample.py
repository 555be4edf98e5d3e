"""A mail with sample data to those who get the mails of a policy: whether mail works, and how it looks."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from holdfast.domain.mail_settings import MailServer
from holdfast.errors import HoldfastError, InvalidMailSettings
from holdfast.ports import BACKUP_POLICY, Cluster, Letter, Mailer, Viewer
from holdfast.resources.policy import BackupPolicy
from holdfast.services.mail_account import Account, House, NoMail, database_name, mail_account, no_house
from holdfast.services.own_templates import own_templates
from holdfast.specs.sample_letters import Sample, sample_facts

SENT, FAILED = "TestMailSent", "TestMailFailed"


@dataclass(frozen=True)
class SampleSent:
    """``taken``: the addresses that the server took it for. ``refusal``: the first of the others, if any."""

    server: MailServer
    taken: tuple[str, ...]
    refusal: HoldfastError | None = None
    fault: str = ""
    """Why the policy's own template was not used, if so."""


def hand_in(mailer: Mailer, server: MailServer, letter: Letter, addresses: Iterable[str]) -> SampleSent:
    """The same letter to each address, as a mail of its own: one that is refused keeps nobody from theirs."""
    taken: list[str] = []
    refusal: HoldfastError | None = None
    fault = ""
    domain = server.sender.address.rpartition("@")[2]
    for address in addresses:
        try:
            said = mailer.send(server, replace(letter, to=address, message_id=f"{uuid4().hex}@{domain}"))
        except HoldfastError as error:
            refusal = refusal or error
            continue
        taken.append(address)
        fault = fault or said
    return SampleSent(server, tuple(taken), refusal, fault)


def send_sample(
    cluster: Cluster,
    mailer: Mailer,
    viewer: Viewer,
    policy: BackupPolicy,
    sample: Sample,
    now: datetime,
    *,
    house: House = no_house,
) -> SampleSent:
    """To the policy's own recipients, whichever events they want, and to nobody else; an Event says who asked for it,
    and what came of it.

    Raises what is wrong with the settings.
    """
    about, what = {"metadata": policy.metadata.to_wire()}, f"a mail with sample data ({sample})"
    try:
        account = _account(cluster, policy, house)
        facts = sample_facts(sample, policy, database_name(cluster, policy), str(account.server), now)
        own = own_templates(cluster, mailer, policy)
        letter = Letter("", "", now, sample, facts, own.usable)
        assert account.server is not None  # noqa: S101 (with recipients of mail there is one)
        sent = hand_in(mailer, account.server, letter, account.recipients)
    except HoldfastError as error:
        cluster.record(about, BACKUP_POLICY, "Warning", FAILED, f"{viewer.name} could not send {what}: {error.message}")
        raise
    if sent.taken:
        note = f"{viewer.name} sent {what} to {len(sent.taken)} addresses."
        cluster.record(about, BACKUP_POLICY, "Normal", SENT, note)
    if sent.refusal:
        note = f"{viewer.name} could not send {what} to all: {sent.refusal.message}"
        cluster.record(about, BACKUP_POLICY, "Warning", FAILED, note)
    return sent


def _account(cluster: Cluster, policy: BackupPolicy, house: House) -> Account:
    account = mail_account(cluster, policy, house)
    if isinstance(account, NoMail):
        raise InvalidMailSettings(account.message, hint="Set up mail as docs/notifications.md says, then try again.")
    return account
