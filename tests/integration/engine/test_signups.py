"""Who has signed up is asked of real servers: by a change stream, and by ids where there is none."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import DatetimeMS, ObjectId, json_util
from pymongo.database import Database

from holdfast.errors import HoldfastError, InvalidSpec, NotAuthorized
from holdfast.mongo.signups import TEXT_LIMIT, MongoSignups
from holdfast.ports import Person, PersonFields, UserCollection
from tests.integration.engine.conftest import UriToFail
from tests.support.fake_signups import FakeSignups
from tests.support.mongod import Mongod
from tests.support.signups_contract import FIELDS, JOINED, ORIGIN, SignupsContract

Users = Database[dict[str, Any]]


def place(uri: str, database: str, collection: str = "users") -> UserCollection:
    return UserCollection(uri, ORIGIN, "secondaryPreferred", database, collection)


class TestMongoSignups(SignupsContract):
    @pytest.fixture
    def signups(self) -> MongoSignups:
        return MongoSignups(limit_seconds=3)

    @pytest.fixture
    def where(self, mongod: Mongod, database: Users) -> UserCollection:
        return place(mongod.uri, database.name)

    @pytest.fixture
    def sign_up(self, database: Users) -> Callable[[str], None]:
        return lambda name: _join(database, name)

    @pytest.fixture
    def leave(self, database: Users) -> Callable[[], None]:
        def leave() -> None:
            database.users.delete_many({})

        return leave

    @pytest.fixture
    def refused(self, uri_to_fail: UriToFail) -> Callable[[type[HoldfastError]], str]:
        return lambda error: uri_to_fail(error, self.SECRET)


class TestFakeSignups(SignupsContract):
    @pytest.fixture
    def signups(self) -> FakeSignups:
        return FakeSignups()

    @pytest.fixture
    def where(self) -> UserCollection:
        return place("mongodb://h/", "shop")

    @pytest.fixture
    def sign_up(self, signups: FakeSignups) -> Callable[[str], None]:
        return lambda name: signups.sign_up(Person(name, f"{name.lower()}@example.org", JOINED))

    @pytest.fixture
    def leave(self, signups: FakeSignups) -> Callable[[], None]:
        return lambda: signups.left.update(signups.joined)

    @pytest.fixture
    def refused(self, signups: FakeSignups) -> Callable[[type[HoldfastError]], str]:
        def uri(error: type[HoldfastError]) -> str:
            signups.failing = lambda: error("It does not work.")
            return f"mongodb://me:{self.SECRET}@h/"

        return uri


def _join(database: Users, name: str) -> None:
    user = {"name": name, "email": f"{name.lower()}@example.org", "createdAt": JOINED, "password": "x", "age": 36}
    database.users.insert_one(user)


@pytest.fixture
def signups() -> MongoSignups:
    return MongoSignups()


@pytest.fixture
def where(mongod: Mongod, database: Users) -> UserCollection:
    return place(mongod.uri, database.name)


def test_a_collection_that_is_not_there_yet_is_followed_from_its_beginning(
    signups: MongoSignups, where: UserCollection, database: Users
) -> None:
    begin = signups.look(where, None, shown=20)
    assert not begin.there
    _join(database, "Ada")
    found = signups.look(where, begin.position, shown=20)
    assert (found.count, found.there) == (1, True)


def test_it_goes_on_where_the_collection_was_dropped_and_made_anew(
    signups: MongoSignups, where: UserCollection, database: Users
) -> None:
    _join(database, "Ada")
    begin = signups.look(where, None, shown=20).position
    _join(database, "Ben")
    database.users.drop()
    _join(database, "Cleo")
    first = signups.look(where, begin, shown=20)
    second = signups.look(where, first.position, shown=20)
    assert (first.count, second.count) == (1, 1)
    assert [one.name for one in signups.people(where, second.ids, FIELDS)] == ["Cleo"]


def test_a_restore_that_puts_another_collection_in_its_place_is_no_signup(
    signups: MongoSignups, where: UserCollection, database: Users
) -> None:
    _join(database, "Ada")
    begin = signups.look(where, None, shown=20).position
    database.restored.insert_many([{"name": "Ada"}, {"name": "Ben"}])
    database.restored.rename("users", dropTarget=True)
    restored = signups.look(where, begin, shown=20)
    _join(database, "Cleo")
    found = signups.look(where, restored.position, shown=20)
    assert (restored.count, found.count) == (0, 1)


def test_changes_that_are_no_signups_are_none(signups: MongoSignups, where: UserCollection, database: Users) -> None:
    _join(database, "Ada")
    begin = signups.look(where, None, shown=20).position
    database.users.update_one({}, {"$set": {"age": 37}})
    database.users.replace_one({}, {"name": "Ada L."})
    database.orders.insert_one({"name": "no user"})
    assert signups.look(where, begin, shown=20).count == 0


def test_an_upsert_that_makes_a_user_is_a_signup(signups: MongoSignups, where: UserCollection, database: Users) -> None:
    begin = signups.look(where, None, shown=20).position
    database.users.update_one({"name": "Ada"}, {"$set": {"age": 36}}, upsert=True)
    assert signups.look(where, begin, shown=20).count == 1


def test_an_import_is_counted_in_turns(where: UserCollection, database: Users) -> None:
    signups = MongoSignups(most=40)
    position = signups.look(where, None, shown=3).position
    database.users.insert_many([{"name": str(number)} for number in range(100)])
    counts, more = [], True
    while more:
        found = signups.look(where, position, shown=3)
        counts.append(found.count)
        position, more = found.position, found.more
    assert counts == [40, 40, 20]


def test_a_position_that_the_server_has_forgotten_is_said_and_gone_on_from_now(
    signups: MongoSignups, where: UserCollection, database: Users
) -> None:
    """It is the token of a change of yesterday: what the oplog holds is younger."""
    with database.users.watch() as stream:
        _join(database, "Ada")
        token = stream.next()["_id"]["_data"]
    seconds = int(token[2:10], 16)
    forgotten = json_util.dumps({"token": {"_data": f"{token[:2]}{seconds - 86_400:08X}{token[10:]}"}})
    found = signups.look(where, forgotten, shown=20)
    assert (found.count, found.lost) == (0, True)
    _join(database, "Ben")
    again = signups.look(where, found.position, shown=20)
    assert (again.count, again.lost) == (1, False)


def test_odd_documents_are_told_as_far_as_they_make_sense(
    signups: MongoSignups, where: UserCollection, database: Users
) -> None:
    begin = signups.look(where, None, shown=20).position
    database.users.insert_many(
        [
            {"_id": 7, "name": "A\n\u202eb" + "x" * 200, "email": ["a"], "createdAt": DatetimeMS(2**60)},
            {"_id": {"a": 1}, "profile": {"name": "Nested"}, "name": None},
            {"_id": "y" * 400, "name": "too long an id"},
        ]
    )
    found = signups.look(where, begin, shown=20)
    assert (found.count, len(found.ids)) == (3, 2)
    odd, nested = signups.people(where, found.ids, FIELDS)
    assert odd == Person(("A b" + "x" * 200)[:TEXT_LIMIT], "", None)
    assert nested == Person("", "", None)
    deep = PersonFields("profile.name", "profile.mail.first", "createdAt")
    assert [one.name for one in signups.people(where, found.ids, deep)] == ["", "Nested"]
    inside = PersonFields("profile.name", "profile", "profile.name.time")
    assert [one.name for one in signups.people(where, found.ids, inside)] == ["", "Nested"]


def test_a_user_who_may_not_read_is_told_which_role_it_takes(mongod: Mongod, where: UserCollection) -> None:
    password = mongod.create_user("looks", [])
    with pytest.raises(NotAuthorized, match=f"role `read` on the database {where.database}"):
        MongoSignups().look(replace(where, uri=mongod.uri_for("looks", password)), None, shown=20)


def test_a_user_who_may_read_the_database_needs_no_more(
    signups: MongoSignups, mongod: Mongod, where: UserCollection, database: Users
) -> None:
    password = mongod.create_user("reads", [{"role": "read", "db": where.database}])
    mine = replace(where, uri=mongod.uri_for("reads", password))
    begin = signups.look(mine, None, shown=20).position
    _join(database, "Ada")
    assert len(signups.people(mine, signups.look(mine, begin, shown=20).ids, FIELDS)) == 1


def test_a_view_is_no_collection_of_users(signups: MongoSignups, where: UserCollection, database: Users) -> None:
    database.create_collection("users", viewOn="people", pipeline=[])
    with pytest.raises(InvalidSpec, match="is no collection but a view"):
        signups.look(where, None, shown=20)


class TestStandalone:
    """Ids tell when they were made; the server's clock says which are settled."""

    @pytest.fixture
    def people(self, standalone: Mongod) -> Iterator[Users]:
        database = standalone.client["by_id"]
        yield database
        standalone.client.drop_database("by_id")

    @pytest.fixture
    def where(self, standalone: Mongod, people: Users) -> UserCollection:
        return place(standalone.uri, people.name)

    def test_each_is_told_once_when_its_second_is_over(self, where: UserCollection, people: Users) -> None:
        hour = timedelta(hours=1)
        begin = MongoSignups(settle=hour).look(where, None, shown=20)
        assert begin.way == "Ids"
        now = datetime.now(UTC)
        at = [ObjectId.from_datetime(now - minutes * timedelta(minutes=1)) for minutes in (90, 50, 40, 5)]
        people.users.insert_many([{"_id": id_, "name": str(number)} for number, id_ in enumerate(at)])
        signups = MongoSignups(settle=timedelta(minutes=30))
        found = signups.look(where, begin.position, shown=20)
        assert [one.name for one in signups.people(where, found.ids, FIELDS)] == ["1", "2"]
        assert signups.look(where, found.position, shown=20).count == 0
        later = MongoSignups(settle=timedelta(0)).look(where, found.position, shown=20)
        assert later.count == 1

    def test_an_import_is_counted_in_turns(self, where: UserCollection, people: Users) -> None:
        begin = MongoSignups(settle=timedelta(hours=1)).look(where, None, shown=2).position
        second = ObjectId.from_datetime(datetime.now(UTC) - timedelta(minutes=30)).binary[:4]
        people.users.insert_many([{"_id": ObjectId(second + bytes(7) + bytes([number]))} for number in range(10)])
        signups = MongoSignups(settle=timedelta(0), most=4)
        counts, more, position = [], True, begin
        while more:
            found = signups.look(where, position, shown=2)
            counts.append(found.count)
            position, more = found.position, found.more
        assert counts == [4, 4, 2]

    def test_ids_that_tell_no_time_cannot_be_followed(self, where: UserCollection, people: Users) -> None:
        people.users.insert_many([{"_id": ObjectId()}, {"_id": "ada"}])
        with pytest.raises(InvalidSpec, match="Make it a replica set"):
            MongoSignups().look(where, None, shown=20)

    def test_one_that_becomes_a_replica_set_says_what_may_be_missing(
        self, where: UserCollection, mongod: Mongod
    ) -> None:
        old = MongoSignups().look(where, None, shown=20).position
        now = MongoSignups().look(replace(where, uri=mongod.uri), old, shown=20)
        assert (now.way, now.count, now.lost) == ("ChangeStream", 0, True)
