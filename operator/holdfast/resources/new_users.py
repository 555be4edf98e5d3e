"""New users: what a policy asks to be told of them, and what its status keeps. It never keeps a name or an address."""

from typing import Annotated

from pydantic import Field

from holdfast.domain.new_users import SHOWN, Detail
from holdfast.resources.base import Spec, Status, Timestamp

_PATH = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,5}$"
FieldPath = Annotated[str, Field(min_length=1, max_length=200, pattern=_PATH)]


class UserFieldsSpec(Spec):
    """Where a user's document has what is told, with dots between names."""

    name: Annotated[FieldPath, Field(description="The name.")] = "name"
    address: Annotated[FieldPath, Field(description="The mail address.")] = "email"
    time: Annotated[
        FieldPath, Field(description="When the user signed up. Where it is no date, that of an ObjectId counts.")
    ] = "createdAt"


class NewUsersSpec(Spec):
    """Tell of new documents in the collection of an application's users."""

    collection: Annotated[
        str,
        Field(
            description="The collection, in the database that is backed up.",
            min_length=1,
            max_length=200,
            pattern=r"^[^$\x00]+$",
        ),
    ] = "users"
    fields: Annotated[UserFieldsSpec, Field(description="Where a document has what is told.")] = UserFieldsSpec()
    detail: Annotated[
        Detail,
        Field(
            description="How much is told. Full: name, address and time. Masked: initials, and the first letter of "
            "the address. Count: how many there are; no document is read."
        ),
    ] = Detail.FULL
    collect_seconds: Annotated[
        int,
        Field(description="After a mail, collect further signups for so long into one mail.", ge=0, le=604800),
    ] = 900


class SignupsSeen(Status):
    """Signups that one mail tells of."""

    count: Annotated[int, Field(description="How many.", ge=0)] = 0
    ids: Annotated[
        tuple[str, ...],
        Field(description="The `_id` of the first of them, as Extended JSON; none for Count.", max_length=SHOWN),
    ] = ()
    first_time: Annotated[Timestamp, Field(description="When the first one was noticed.")]
    last_time: Annotated[Timestamp, Field(description="When the last one was noticed.")]
    missing_since: Annotated[
        Timestamp | None,
        Field(description="From here to `firstTime` the server could not say who came: some may be missing."),
    ] = None


class NewUsersStatus(Status):
    """How far new users were followed."""

    watched: Annotated[str, Field(description="Database and collection that this speaks of.")]
    position: Annotated[str, Field(description="Where the next look goes on: a resume token, or an id.")]
    position_time: Annotated[
        Timestamp, Field(description="When that was written: on each signup, and each hour without one.")
    ]
    pending: Annotated[SignupsSeen | None, Field(description="Noticed, and owed to nobody yet.")] = None
    told: Annotated[SignupsSeen | None, Field(description="What the newest mail tells of.")] = None
