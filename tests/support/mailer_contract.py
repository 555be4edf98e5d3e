"""What every implementation of the Mailer port does, real or fake."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from holdfast.domain.mail_settings import MailServer
from holdfast.errors import HoldfastError, MailRefused, MailUnavailable
from holdfast.ports import Letter, Mailer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def letter(to: str = "admin@example.com", message_id: str = "abc@example.com") -> Letter:
    facts = {"subject": "Mail works", "preview": "", "outcome": "good", "server": "smtp.example.com:587"}
    return Letter(message_id, to, NOW, "test", facts)


class MailerContract:
    """A test class of an implementation inherits this, and has the fixtures that are used here."""

    @pytest.fixture
    def received(self) -> Callable[[], Sequence[tuple[str, str]]]:
        """Recipient and Message-ID of each letter that was taken."""
        raise NotImplementedError

    @pytest.fixture
    def refuse(self) -> Callable[[bool], None]:
        """Have the next letters refused; for good or for now."""
        raise NotImplementedError

    def test_a_letter_arrives_once(
        self, mailer: Mailer, server: MailServer, received: Callable[[], Sequence[tuple[str, str]]]
    ) -> None:
        mailer.send(server, letter())
        assert received() == [("admin@example.com", "abc@example.com")]

    @pytest.mark.parametrize(("lasting", "error"), [(True, MailRefused), (False, MailUnavailable)])
    def test_what_is_refused_raises_and_does_not_arrive(
        self,
        mailer: Mailer,
        server: MailServer,
        received: Callable[[], Sequence[tuple[str, str]]],
        refuse: Callable[[bool], None],
        lasting: bool,
        error: type[HoldfastError],
    ) -> None:
        refuse(lasting)
        with pytest.raises(error) as caught:
            mailer.send(server, letter())
        assert caught.value.message
        assert not received()

    def test_the_same_letter_again_has_the_same_name(
        self, mailer: Mailer, server: MailServer, received: Callable[[], Sequence[tuple[str, str]]]
    ) -> None:
        mailer.send(server, letter())
        mailer.send(server, letter())
        assert len(set(received())) == 1
        assert len(received()) == 2
