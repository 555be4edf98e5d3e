"""What every implementation of the SourceProbe port does, real or fake."""

from collections.abc import Callable

import pytest

from holdfast.errors import AuthenticationFailed, HoldfastError, InvalidUri, SourceUnavailable
from holdfast.ports import SourceProbe

ORIGIN = "key MONGODB_URI of Secret default/shop"


class ProbeContract:
    """A test class of an implementation inherits this, and has the fixtures that are used here.

    ``uri``: of a replica set rs0. ``refused``: a URI that is refused for an error, with ``SECRET`` as its password.
    """

    SECRET = "hunter2-7b1f"

    def test_a_source_that_can_be_read_says_what_it_is(self, probe: SourceProbe, uri: str) -> None:
        assert probe.probe(uri, origin=ORIGIN, read_preference="secondaryPreferred") == "Replica set rs0"

    @pytest.mark.parametrize("error", [AuthenticationFailed, SourceUnavailable])
    def test_one_that_cannot_be_read_raises(
        self,
        probe: SourceProbe,
        refused: Callable[[type[HoldfastError]], str],
        error: type[HoldfastError],
    ) -> None:
        with pytest.raises(error) as caught:
            probe.probe(refused(error), origin=ORIGIN, read_preference="primary")
        assert self.SECRET not in str(caught.value)

    def test_what_is_no_uri_is_said_without_it(self, probe: SourceProbe) -> None:
        with pytest.raises(InvalidUri) as caught:
            probe.probe(f"http://me:{self.SECRET}@h", origin=ORIGIN, read_preference="primary")
        assert ORIGIN in str(caught.value)
        assert self.SECRET not in str(caught.value)
