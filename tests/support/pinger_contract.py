"""What every implementation of the Pinger port does, real or fake."""

from collections.abc import Callable, Sequence

import pytest

from holdfast.errors import HoldfastError, HookRefused, HookUnavailable, InvalidUri
from holdfast.ports import Pinger


class PingerContract:
    """A test class of an implementation inherits this, and has the fixtures that are used here.

    ``url``: one that is heard, with ``SECRET`` in it. ``heard``: how often it was. ``refuse``: for good, or for now.
    """

    SECRET = "7b1f-hunter2"

    def test_a_call_is_heard_once(self, pinger: Pinger, url: str, heard: Callable[[], Sequence[str]]) -> None:
        pinger.ping(url)
        assert len(heard()) == 1

    @pytest.mark.parametrize(("lasting", "error"), [(True, HookRefused), (False, HookUnavailable)])
    def test_what_is_not_wanted_raises(
        self, pinger: Pinger, url: str, refuse: Callable[[bool], None], lasting: bool, error: type[HoldfastError]
    ) -> None:
        refuse(lasting)
        with pytest.raises(error) as caught:
            pinger.ping(url)
        assert self.SECRET not in str(caught.value)

    @pytest.mark.parametrize("url", ["", "file:///etc/passwd", "ftp://7b1f-hunter2.example.com/", "7b1f-hunter2"])
    def test_what_is_no_url_of_the_web_is_not_called(self, pinger: Pinger, url: str) -> None:
        with pytest.raises(InvalidUri) as caught:
            pinger.ping(url)
        assert self.SECRET not in str(caught.value)
