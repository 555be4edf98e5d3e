"""A RestoreRun that several pods do together: one of them leads and tells, the others do their share and leave."""

from typing import Any

import pytest

from holdfast.domain.teamwork import Seat
from holdfast.errors import NotAuthorized, SourceUnavailable
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_share import Team
from holdfast.specs.names import INDEXED_NAME_LIMIT, job_of_restore
from holdfast.specs.restore_job import job_for_restore
from holdfast.specs.worker import WorkerImage
from tests.support.kube_objects import policy_body, restore_body
from tests.unit.test_run_restore import APPLY, Pod, pod

__all__ = ["pod"]
POINT = {"source": {"policyRef": {"name": "shop"}, "pointInTime": "2026-03-01T02:00:00Z"}}


def job(pods: int | None = None, **spec: Any) -> dict[str, Any]:
    policy = policy_body(job={"parallelism": pods, "backoffLimit": 2} if pods else {})
    run = restore_body(**spec)
    for body in (policy, run):
        body["metadata"] |= {"uid": "uid", "generation": 1}
    made = job_for_restore(BackupPolicy.model_validate(policy), RestoreRun.model_validate(run), WorkerImage("image"))
    return dict(made["spec"])


def pods_of(spec: dict[str, Any]) -> tuple[int, str | None]:
    environment = {one["name"]: one.get("value") for one in spec["template"]["spec"]["containers"][0]["env"]}
    return spec.get("completions", 1), environment.get("HOLDFAST_PARALLELISM")


def test_it_is_an_indexed_job_of_as_many_pods_as_take_a_backup() -> None:
    spec = job(3, **APPLY)
    assert pods_of(spec) == (3, "3")
    assert (spec["completionMode"], spec["backoffLimitPerIndex"], spec["backoffLimit"]) == ("Indexed", 2, 6)


def test_a_run_may_ask_for_another_number_of_pods() -> None:
    assert pods_of(job(3, **APPLY, parallelism=2)) == (2, "2")
    assert pods_of(job(None, **APPLY, parallelism=2)) == (2, "2")
    assert pods_of(job(3, **APPLY, parallelism=1)) == (1, None)


@pytest.mark.parametrize("spec", [{}, {**APPLY, **POINT}], ids=["plan", "point in time"])
def test_what_cannot_be_shared_has_one_pod(spec: dict[str, Any]) -> None:
    assert pods_of(job(3, **spec)) == (1, None)


def test_the_name_of_its_job_with_an_index_behind_it_is_that_of_a_host() -> None:
    name = job_of_restore("shop.example.com-" + "r" * 60)
    assert "." not in name
    assert len(name) <= INDEXED_NAME_LIMIT


def test_the_first_pod_leads_and_tells(pod: Pod) -> None:
    pod.backup()
    pod.wish(**APPLY)
    pod.seat = Seat(0, 2)
    assert pod.work().exit_code == 0
    assert (pod.status()["phase"], pod.status()["verification"]["result"]) == ("Succeeded", "Equal")
    assert pod.forgot.is_set()


def test_another_pod_waits_until_it_is_known_which_backup_it_is(pod: Pod) -> None:
    backup_id = pod.backup()
    pod.wish(**APPLY)
    pod.seat = Seat(1, 2)
    pod.wait = lambda _: pod.note(backupId=backup_id)
    shared: list[Team] = []
    pod.share = lambda team, _: shared.append(team)
    result = pod.work()
    assert (result.exit_code, result.message.reason) == (0, "ShareDone")
    assert [team.seat for team in shared] == [Seat(1, 2)]


def test_one_that_does_its_share_changes_no_more_than_that_somebody_is_at_it(pod: Pod) -> None:
    pod.wish(**APPLY)
    pod.note(backupId=pod.backup(), policy="shop", phase="Restoring", attempts=1)
    before = pod.status()
    pod.seat, pod.share = Seat(1, 2), lambda *_: None
    pod.work()
    assert pod.status() == before


def test_an_outage_of_one_that_does_its_share_is_told_by_its_pod_alone(pod: Pod) -> None:
    pod.wish(**APPLY)
    pod.note(backupId=pod.backup(), policy="shop", phase="Restoring", attempts=1)
    before = pod.status()

    def share(*_: object) -> RestoreOutcome:
        raise SourceUnavailable("The server went away.")

    pod.seat, pod.share = Seat(1, 2), share
    result = pod.work()
    assert (result.exit_code, result.message.reason) == (75, "SourceUnavailable")
    assert pod.status() == before


def test_what_no_pod_can_mend_ends_the_run_and_claims_nothing_of_the_target(pod: Pod) -> None:
    pod.wish(**APPLY)
    pod.note(backupId=pod.backup(), policy="shop", phase="Restoring", attempts=1)

    def share(*_: object) -> RestoreOutcome:
        raise NotAuthorized("It may not.")

    pod.seat, pod.share = Seat(1, 2), share
    assert pod.work().exit_code == NotAuthorized.exit_code
    status = pod.status()
    assert (status["phase"], status["reason"]) == ("Failed", "NotAuthorized")
    assert "Nothing was changed" not in status["message"]


def test_another_one_that_has_to_lead_tells_how_it_ended(pod: Pod) -> None:
    pod.wish(**APPLY)
    pod.note(backupId=pod.backup(), policy="shop", phase="Restoring", attempts=1)
    pod.seat = Seat(1, 2)
    assert pod.work().exit_code == 0
    assert (pod.status()["phase"], pod.status()["attempts"]) == ("Succeeded", 1)


def test_all_see_when_the_run_has_ended(pod: Pod) -> None:
    pod.wish(**APPLY)
    pod.note(backupId=pod.backup(), policy="shop", phase="Restoring", attempts=1)
    seen: list[bool] = []

    def share(team: Team, _: object) -> None:
        seen.append(team.ended())
        pod.note(phase="Succeeded")
        pod.clock.advance(10)
        seen.append(team.ended())

    pod.seat, pod.share = Seat(1, 2), share
    pod.work()
    assert seen == [False, True]
