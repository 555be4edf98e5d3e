"""What every implementation of the SignupSource port does, real or fake."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from holdfast.errors import AuthenticationFailed, HoldfastError, SourceUnavailable
from holdfast.ports import Person, PersonFields, SignupSource, UserCollection

ORIGIN = "key MONGODB_URI of Secret default/shop"
FIELDS = PersonFields("name", "email", "createdAt")
JOINED = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class SignupsContract:
    """A test class of an implementation inherits this, and has the fixtures that are used here.

    ``where``: a collection without users. ``sign_up``: a person signs up, and is there. ``leave``: all of them go.
    ``refused``: a URI that is refused for an error, with ``SECRET`` as its password.
    """

    SECRET = "hunter2-7b1f"

    def test_who_was_there_before_is_no_news(
        self, signups: SignupSource, where: UserCollection, sign_up: Callable[[str], None]
    ) -> None:
        sign_up("Ada")
        first = signups.look(where, None, shown=20)
        assert (first.count, first.ids, first.lost) == (0, (), False)
        assert signups.look(where, first.position, shown=20).count == 0

    def test_who_signs_up_is_told_once_from_position_to_position(
        self, signups: SignupSource, where: UserCollection, sign_up: Callable[[str], None]
    ) -> None:
        begin = signups.look(where, None, shown=20).position
        sign_up("Ada")
        sign_up("Ben")
        found = signups.look(where, begin, shown=20)
        assert found.count == 2
        assert signups.look(where, found.position, shown=20).count == 0
        assert [one.name for one in signups.people(where, found.ids, FIELDS)] == ["Ada", "Ben"]

    def test_a_position_can_be_gone_on_from_again(
        self, signups: SignupSource, where: UserCollection, sign_up: Callable[[str], None]
    ) -> None:
        """Whoever was killed before it could write down what it found finds the same once more."""
        begin = signups.look(where, None, shown=20).position
        sign_up("Ada")
        assert signups.look(where, begin, shown=20).ids == signups.look(where, begin, shown=20).ids != ()

    def test_no_more_ids_are_kept_than_are_shown_and_all_are_counted(
        self, signups: SignupSource, where: UserCollection, sign_up: Callable[[str], None]
    ) -> None:
        begin = signups.look(where, None, shown=20).position
        for name in ("Ada", "Ben", "Cleo"):
            sign_up(name)
        found = signups.look(where, begin, shown=1)
        assert (found.count, len(found.ids)) == (3, 1)
        assert signups.look(where, begin, shown=0).ids == ()

    def test_name_address_and_time_are_all_that_is_read(
        self, signups: SignupSource, where: UserCollection, sign_up: Callable[[str], None]
    ) -> None:
        begin = signups.look(where, None, shown=20).position
        sign_up("Ada")
        ids = signups.look(where, begin, shown=20).ids
        assert signups.people(where, ids, FIELDS) == [Person("Ada", "ada@example.org", JOINED)]

    def test_who_has_left_again_is_not_told(
        self,
        signups: SignupSource,
        where: UserCollection,
        sign_up: Callable[[str], None],
        leave: Callable[[], None],
    ) -> None:
        begin = signups.look(where, None, shown=20).position
        sign_up("Ada")
        ids = signups.look(where, begin, shown=20).ids
        leave()
        assert list(signups.people(where, ids, FIELDS)) == []

    @pytest.mark.parametrize("error", [AuthenticationFailed, SourceUnavailable])
    def test_a_source_that_cannot_be_read_raises(
        self,
        signups: SignupSource,
        where: UserCollection,
        refused: Callable[[type[HoldfastError]], str],
        error: type[HoldfastError],
    ) -> None:
        elsewhere = replace(where, uri=refused(error))
        with pytest.raises(error) as caught:
            signups.look(elsewhere, None, shown=20)
        assert self.SECRET not in f"{caught.value}{elsewhere!r}"
        with pytest.raises(error):
            signups.people(elsewhere, ['{"$oid": "5f5e3b7a0000000000000001"}'], FIELDS)
