"""What every implementation of the Messenger port does, real or fake."""

from collections.abc import Callable, Sequence

import pytest

from holdfast.errors import HookUnavailable, InvalidUri
from holdfast.ports import Messenger
from tests.support.letters import letters


class MessengerContract:
    """A test class of an implementation inherits this, and has the fixtures that are used here.

    ``url``: of a service that takes messages, with ``SECRET`` in it. ``heard``: what it took. ``refuse``: it does not.
    """

    SECRET = "7b1f-hunter2"

    def test_a_service_has_a_name_that_is_no_secret(self, messenger: Messenger, url: str) -> None:
        assert messenger.service(url) == "JSON"

    def test_a_letter_is_heard_once(
        self, messenger: Messenger, url: str, heard: Callable[[], Sequence[object]]
    ) -> None:
        messenger.send(url, letters()["backup_failure"])
        assert len(heard()) == 1

    def test_what_is_not_taken_is_to_be_tried_again(
        self, messenger: Messenger, url: str, refuse: Callable[[], None]
    ) -> None:
        refuse()
        with pytest.raises(HookUnavailable) as caught:
            messenger.send(url, letters()["backup_failure"])
        assert self.SECRET not in str(caught.value)

    @pytest.mark.parametrize(
        "url",
        ["", "7b1f-hunter2", "file:///7b1f-hunter2", "http://example.com/7b1f-hunter2", "syslog://7b1f-hunter2"],
    )
    def test_what_is_no_channel_is_not_called(self, messenger: Messenger, url: str) -> None:
        for call in (messenger.service, lambda url: messenger.send(url, letters()["test"])):
            with pytest.raises(InvalidUri) as caught:
                call(url)
            assert self.SECRET not in str(caught.value)
