"""The gate before all that the operator does to the outside: it is open while its Lease is surely held."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition

from holdfast.domain.mail_settings import MailServer
from holdfast.errors import LeaseLost
from holdfast.ports import Fence, Letter, Mailer, Messenger, Pinger


class LeaseFence:
    """Implements :class:`holdfast.ports.Fence`. ``ticks``: seconds by a clock that goes on while the process sleeps."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks, self._until = ticks, float("-inf")
        self._acting = 0
        self._changed = Condition()

    def open_until(self, moment: float) -> None:
        """Let through until then."""
        with self._changed:
            self._until = moment

    def is_open(self) -> bool:
        return self._ticks() < self._until

    @contextmanager
    def act(self) -> Iterator[None]:
        with self._changed:
            if not self.is_open():
                raise LeaseLost("This operator does not lead any more.", hint="Another goes on with its work.")
            self._acting += 1
        try:
            yield
        finally:
            with self._changed:
                self._acting -= 1
                self._changed.notify_all()

    def shut(self, seconds: float) -> bool:
        """Let nothing more through, and wait for what has gone through. Whether all of it has come to its end."""
        with self._changed:
            self._until = float("-inf")
            return self._changed.wait_for(lambda: not self._acting, seconds)


class FencedMailer:
    """A Mailer that sends nothing for who does not lead."""

    def __init__(self, mailer: Mailer, fence: Fence) -> None:
        self._mailer, self._fence = mailer, fence

    def send(self, server: MailServer, letter: Letter) -> str:
        with self._fence.act():
            return self._mailer.send(server, letter)

    def faults(self, own: Mapping[str, str]) -> Mapping[str, str]:
        return self._mailer.faults(own)


class FencedMessenger:
    """A Messenger of that kind."""

    def __init__(self, messenger: Messenger, fence: Fence) -> None:
        self._messenger, self._fence = messenger, fence

    def service(self, url: str) -> str:
        return self._messenger.service(url)

    def send(self, url: str, letter: Letter) -> None:
        with self._fence.act():
            self._messenger.send(url, letter)


class FencedPinger:
    """A Pinger of that kind."""

    def __init__(self, pinger: Pinger, fence: Fence) -> None:
        self._pinger, self._fence = pinger, fence

    def ping(self, url: str) -> None:
        with self._fence.act():
            self._pinger.ping(url)
