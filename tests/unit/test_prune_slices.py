"""Which slices of an oplog go: those that no backup needs from which a replay is still to begin."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from holdfast.ports import ClusterTime
from holdfast.repository.slices import SliceName, Slices
from holdfast.services.prune_slices import prune_slices
from tests.support.fake_cluster import START
from tests.support.kube_objects import NAMESPACE
from tests.unit.test_run_restore import Pod

OWNER = f"{NAMESPACE}/shop"
HOUR = timedelta(hours=1)


def time_of(moment: datetime) -> ClusterTime:
    return ClusterTime(int(moment.timestamp()), 0)


class Site(Pod):
    """Backups of the last three days, and slices of an hour each over the last four."""

    def __init__(self, owner: str = OWNER) -> None:
        super().__init__()
        self.slices = Slices(self.stored, "rs0", "shop", owner)
        self.ids = {days: self.backup(days) for days in (3, 2, 1)}
        for hours in range(96, 0, -1):
            begin = START - hours * HOUR
            self.slices.write(SliceName("a", time_of(begin), time_of(begin + HOUR)), 1, (), START)

    def prune(self, since: Mapping[str, ClusterTime] | None = None, in_use: frozenset[str] = frozenset()) -> int:
        return prune_slices(self.stored, since, in_use)

    def oldest_hours(self) -> float:
        """How long ago the oldest slice that is left begins."""
        return (START.timestamp() - self.slices.names()[0].after.seconds) / 3600


@pytest.fixture
def site() -> Site:
    return Site()


def test_those_that_end_before_the_oldest_backup_go_but_for_ten_minutes(site: Site) -> None:
    assert site.prune() == 23
    assert site.oldest_hours() == 73


def test_those_of_backups_that_are_too_old_go(site: Site) -> None:
    site.prune({OWNER: time_of(START - timedelta(days=2, hours=5))})
    assert site.oldest_hours() == 49


def test_those_of_a_backup_that_is_being_restored_stay(site: Site) -> None:
    site.prune({OWNER: time_of(START - timedelta(days=2, hours=5))}, frozenset({site.ids[3]}))
    assert site.oldest_hours() == 73


def test_where_all_backups_are_too_old_nothing_older_than_wanted_stays(site: Site) -> None:
    site.prune({OWNER: time_of(START - timedelta(hours=5))})
    assert site.oldest_hours() == 6


def test_the_newest_always_stays(site: Site) -> None:
    site.prune({OWNER: time_of(START + timedelta(days=9))})
    assert [name.until for name in site.slices.names()] == [time_of(START)]


def test_what_is_archived_for_others_or_for_nobody_is_not_for_this_policy_to_remove() -> None:
    for owner in ("", "other/shop"):
        site = Site(owner)
        before = len(site.slices.names())
        site.prune({OWNER: time_of(START)})
        assert len(site.slices.names()) == (before if owner else before - 23)


def test_a_manifest_that_cannot_be_read_keeps_all(site: Site) -> None:
    site.stored.store.create("backups/20260101T000000Z-damaged", b"damaged")
    assert site.prune() == 0
