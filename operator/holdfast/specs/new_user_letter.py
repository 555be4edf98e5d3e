"""What a mail tells of people who signed up, as plain facts: name, address and time, or less, and never more."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.domain.new_users import Detail, masked_address, masked_name
from holdfast.ports import Person
from holdfast.resources.new_users import SignupsSeen
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.letters import moment_words, sentence, zone_of


def new_user_facts(
    policy: BackupPolicy, database: str, seen: SignupsSeen, people: Sequence[Person], *, detail: Detail, unread: str
) -> Mapping[str, Any]:
    """``people``: those of the first ones who are still there. ``unread``: why they could not be read, if so.

    The subject names nobody: it is shown on locked screens.
    """
    namespace, name, zone = policy.metadata.namespace, policy.metadata.name, zone_of(policy)
    told = [_told(person, detail, zone) for person in people]
    headline = "1 new user" if seen.count == 1 else f"{seen.count:,} new users" if seen.count else "New users"
    subject = f"{headline} of {database}" if seen.count else f"{headline} of {database}: some may be missing"
    begin, end = moment_words(seen.first_time, zone), moment_words(seen.last_time, zone)
    gone = len(seen.ids) - len(people) if not unread else 0
    return {
        "subject": f"{subject} ({namespace}/{name})",
        "preview": f"{headline}, noticed {begin}",
        "outcome": "none",
        "policy": policy.metadata.name,
        "namespace": namespace,
        "database": database,
        "headline": headline,
        "noticed": begin if begin == end else f"from {begin} to {end}",
        "people": told,
        "more": seen.count - len(told) - gone if told else 0,
        "gone": gone,
        "unread": sentence(unread),
        "missing": f"from {moment_words(seen.missing_since, zone)} to {begin}" if seen.missing_since else "",
    }


def _told(person: Person, detail: Detail, zone: ZoneInfo) -> Mapping[str, str]:
    masked = detail is Detail.MASKED
    return {
        "name": (masked_name(person.name) if masked else person.name) or "(no name)",
        "address": masked_address(person.address) if masked else person.address,
        "time": moment_words(person.time, zone),
    }
