"""Take the backup of a BackupRun: by this pod alone, or together with the others of its Job."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from threading import Event
from typing import Protocol

from holdfast.domain.teamwork import ALONE, Seat
from holdfast.ports import Clock, Member, Progress, Source
from holdfast.repository.manifest import PolicyIdentity
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.back_up import back_up
from holdfast.services.back_up_together import back_up_together
from holdfast.services.backup_request import BackupOutcome, BackupRequest
from holdfast.services.read_segment import SegmentCrew

Engine = tuple[Source, Repository, SegmentCrew | None]


class Opener(Protocol):
    """Opens the source (one member of it, where that is chosen) and the repository of a policy, with the Secrets that
    are mounted; and who does the work."""

    def __call__(self, policy: BackupPolicy, member: Member | None = None) -> AbstractContextManager[Engine]: ...


def back_up_for_run(
    policy: BackupPolicy,
    run: BackupRun,
    seat: Seat,
    opener: Opener,
    opened: Engine,
    progress: Progress,
    clock: Clock,
    stop: Event,
) -> BackupOutcome | None:
    """Given a run, and what ``opener`` has opened, take its backup. None: another pod tells what came of it.

    Raises what :func:`holdfast.services.back_up.back_up` does.
    """
    request, (source, repository, crew) = _request(policy, run), opened
    if seat == ALONE:
        return back_up(request, source, repository, progress, clock, stop, crew)
    return back_up_together(request, seat, partial(_source_of, opener, policy), repository, progress, clock, stop)


def _request(policy: BackupPolicy, run: BackupRun) -> BackupRequest:
    created = run.metadata.creation_timestamp
    assert created is not None, "the API server sets it"  # noqa: S101
    source = policy.spec.source
    return BackupRequest(
        backup_id=new_backup_id(created, run.metadata.uid),  # the same for every attempt
        policy=PolicyIdentity(namespace=policy.metadata.namespace, name=policy.metadata.name, uid=policy.metadata.uid),
        include=source.collections,
        exclude=source.exclude,
        consistency=source.consistency,
        started=run.status.start_time or created,
        max_bytes_per_second=source.max_bytes_per_second,
        archived=policy.archives,
    )


@contextmanager
def _source_of(
    opener: Opener, policy: BackupPolicy, member: Member | None
) -> Iterator[tuple[Source, SegmentCrew | None]]:
    with opener(policy, member) as (source, _, crew):
        yield source, crew
