"""Mails with sample data: what they are made of, and that nobody takes one for a real one."""

from datetime import UTC, datetime

import pytest

from holdfast.domain.mail_settings import MailServer, Sender
from holdfast.errors import HoldfastError, InvalidMailSettings, MailRefused
from holdfast.mail.render import Renderer
from holdfast.ports import Letter, Viewer
from holdfast.services.send_sample import hand_in, send_sample
from holdfast.specs.sample_letters import Sample, sample_facts
from tests.support.fake_cluster import FakeCluster
from tests.support.fake_mailer import FakeMailer
from tests.support.letters import policy

NOW = datetime(2026, 3, 2, 1, 0, 42, tzinfo=UTC)
SERVER = MailServer("smtp.example.com", 587, implicit_tls=False, sender=Sender("backups@example.com"))


@pytest.mark.parametrize("sample", Sample)
def test_each_is_a_whole_mail_of_the_policy(sample: Sample) -> None:
    facts = sample_facts(sample, policy(), "timetrack", str(SERVER), NOW)
    message = Renderer().render(Letter("one@example.com", "me@example.com", NOW, sample, facts), SERVER.sender)
    text = message.get_body(("plain",))
    assert text is not None
    if sample is Sample.TEST:
        assert message["Subject"] == "Mail works"
    else:
        assert message["Subject"].startswith("Sample: ")
        assert "team/timetrack" in message["Subject"]
        assert "This is a sample" in text.get_content()


def test_one_address_that_is_refused_keeps_nobody_else_from_theirs() -> None:
    mailer = FakeMailer()
    mailer.failing = lambda letter: MailRefused("no such user") if letter.to.startswith("gone") else None
    letter = Letter("", "", NOW, "test", {})
    sent = hand_in(mailer, SERVER, letter, ["gone@example.com", "me@example.com", "you@example.com"])
    assert sent.taken == ("me@example.com", "you@example.com")
    assert isinstance(sent.refusal, MailRefused)
    assert len({one.message_id for one in mailer.sent}) == 2
    assert all(one.message_id.endswith("@example.com") for one in mailer.sent)


def test_where_mail_is_off_it_is_said_and_nothing_is_sent() -> None:
    mailer, spec = FakeMailer(), policy().spec
    email = spec.notifications.email.model_copy(update={"suspend": True})
    off = spec.model_copy(update={"notifications": spec.notifications.model_copy(update={"email": email})})
    suspended = policy().model_copy(update={"spec": off})
    with pytest.raises(InvalidMailSettings, match="suspended"):
        send_sample(FakeCluster(), mailer, Viewer("ada"), suspended, Sample.TEST, NOW)
    with pytest.raises(HoldfastError, match="There is no Secret"):
        send_sample(FakeCluster(), mailer, Viewer("ada"), policy(), Sample.TEST, NOW)
    assert not mailer.tried
