"""How a run ends when its worker cannot say so: each end has a reason, and a message that says what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.domain.phases import Phase
from holdfast.domain.run_end import JobState, PodState, RunEnd, RunWaits, job_vanished, judge, proven
from holdfast.domain.worker_message import WorkerMessage, parse_worker_message

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMEOUT = timedelta(seconds=600)

JOB = JobState(name="shop-1", started=NOW - timedelta(seconds=60), deadline_seconds=21600)
POD = PodState(name="shop-1-abc", created=NOW - timedelta(seconds=60), image="holdfast:1", memory_limit="512Mi")
RUNNING = replace(POD, started=True)
DEAD = replace(RUNNING, finished=True, exit_code=75)


def verdict(job: JobState, *pods: PodState, now: datetime = NOW) -> RunEnd | RunWaits | None:
    return judge(job, pods, start_timeout=TIMEOUT, now=now)


def ended(job: JobState, *pods: PodState, now: datetime = NOW) -> RunEnd:
    result = verdict(job, *pods, now=now)
    assert isinstance(result, RunEnd)
    return result


def failed(reason: str = "BackoffLimitExceeded") -> JobState:
    return replace(JOB, end="Failed", reason=reason, message="Job has reached the specified backoff limit")


def test_a_worker_at_work_is_left_alone() -> None:
    assert verdict(JOB, RUNNING) is None


def test_a_job_between_two_tries_is_left_alone() -> None:
    assert verdict(JOB, DEAD) is None
    assert verdict(JOB, DEAD, now=NOW + timedelta(hours=5)) is None


@pytest.mark.parametrize(
    ("pod", "reason", "said"),
    [
        (replace(DEAD, exit_code=137), "WorkerDied", "killed from outside"),
        (replace(DEAD, exit_code=137, terminated_reason="OOMKilled"), "OOMKilled", "512Mi"),
        (replace(DEAD, exit_code=None, pod_reason="Evicted", pod_message="low on disk."), "Evicted", "low"),
    ],
)
def test_a_worker_that_was_killed_between_two_tries_is_told(pod: PodState, reason: str, said: str) -> None:
    waits = verdict(JOB, pod)
    assert isinstance(waits, RunWaits)
    assert waits.reason == reason
    assert said in waits.message
    assert "Another pod goes on" in waits.message


def test_a_killed_worker_is_no_news_once_another_pod_is_there_or_none_will_come() -> None:
    killed = replace(DEAD, exit_code=137)
    assert verdict(JOB, killed, replace(RUNNING, name="next", created=NOW)) is None
    assert verdict(replace(JOB, failing_since=NOW), killed) is None


@pytest.mark.parametrize(
    ("pod", "reason", "said"),
    [
        (replace(POD, waiting_reason="ErrImagePull", waiting_message="not found"), "ImagePullFailed", "holdfast:1"),
        (replace(POD, waiting_reason="ImagePullBackOff"), "ImagePullFailed", "nodes may pull it"),
        (replace(POD, waiting_reason="ErrImageNeverPull"), "ImagePullFailed", "ErrImageNeverPull"),
        (replace(POD, waiting_reason="InvalidImageName"), "ImagePullFailed", "Check its name"),
        (replace(POD, unschedulable="0/3 nodes are available"), "Unschedulable", "spec.job.resources"),
        (replace(POD, unschedulable='persistentvolumeclaim "x" not found'), "Unschedulable", "spec.storage.volume"),
        (
            replace(POD, unschedulable="unbound immediate PersistentVolumeClaims"),
            "Unschedulable",
            "spec.storage.volume",
        ),
        (
            replace(POD, waiting_reason="CreateContainerConfigError", waiting_message="no user"),
            "ConfigError",
            "no user",
        ),
        (replace(POD, waiting_reason="ContainerCreating"), "NotStarted", "kubectl describe pod shop-1-abc"),
        (POD, "NotStarted", "has not started"),
    ],
)
def test_a_pod_that_cannot_start_is_shown_then_ends_the_run(pod: PodState, reason: str, said: str) -> None:
    early = verdict(JOB, pod)
    assert isinstance(early, RunWaits)
    assert (early.reason, said in early.message) == (reason, True)
    late = ended(JOB, pod, now=POD.created + TIMEOUT)
    assert (late.phase, late.reason) == (Phase.FAILED, reason)
    assert said in late.message
    assert "600 s" in late.message


def test_of_several_pods_the_one_that_came_to_the_end_is_believed() -> None:
    share = WorkerMessage("ShareDone", "Another pod tells.").encode()
    end = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, {"backupId": "b"}).encode()
    helper = replace(RUNNING, name="h", index=1, finished=True, exit_code=0, terminated_message=share)
    finisher = replace(helper, name="f", index=0, created=POD.created - timedelta(seconds=1), terminated_message=end)
    assert ended(replace(JOB, end="Complete"), finisher, helper).phase is Phase.SUCCEEDED


def test_of_several_pods_one_that_has_done_its_share_does_not_explain_a_failure() -> None:
    share = WorkerMessage("ShareDone", "Another pod tells.").encode()
    helper = replace(RUNNING, name="h", index=1, finished=True, exit_code=0, terminated_message=share)
    killed = replace(DEAD, name="k", index=0, created=POD.created - timedelta(seconds=9), exit_code=137)
    end = ended(failed("FailedIndexes"), helper, killed)
    assert (end.reason, "137" in end.message) == ("WorkerDied", True)


def test_one_of_several_pods_at_work_is_enough() -> None:
    stuck = replace(POD, name="s", index=1, unschedulable="0/3 nodes are available")
    assert verdict(JOB, replace(RUNNING, index=0), stuck, now=NOW + TIMEOUT) is None


def test_several_pods_of_which_none_can_start_end_the_run() -> None:
    stuck = [replace(POD, name=f"s{n}", index=n, unschedulable="0/3 nodes are available") for n in range(2)]
    assert ended(JOB, *stuck, now=POD.created + TIMEOUT).reason == "Unschedulable"


def test_a_pod_that_was_made_just_now_is_no_news() -> None:
    assert verdict(JOB, replace(POD, created=NOW - timedelta(seconds=5))) is None


def test_a_second_pod_that_cannot_start_counts_from_its_own_creation() -> None:
    second = replace(POD, name="two", created=NOW - timedelta(seconds=30), waiting_reason="ErrImagePull")
    first = replace(DEAD, created=NOW - timedelta(seconds=6000))
    assert isinstance(verdict(JOB, first, second), RunWaits)


def test_a_full_quota_is_shown_then_ends_the_run() -> None:
    job = replace(JOB, refusal='pods "shop-1-x" is forbidden: exceeded quota: small, requested: cpu=1')
    early = verdict(job)
    assert isinstance(early, RunWaits)
    assert early.reason == "QuotaExceeded"
    assert "exceeded quota: small" in early.message
    assert ended(job, now=JOB.started + TIMEOUT).reason == "QuotaExceeded"


def test_another_refusal_of_pods_is_told_as_it_is() -> None:
    early = verdict(replace(JOB, refusal="violates PodSecurity"))
    assert isinstance(early, RunWaits)
    assert early.reason == "PodRefused"


def test_a_job_that_never_gets_a_pod_ends_the_run() -> None:
    assert ended(JOB, now=JOB.started + TIMEOUT).reason == "NotStarted"


def test_a_suspended_job_may_wait() -> None:
    assert verdict(replace(JOB, suspended=True), now=JOB.started + timedelta(days=1)) is None


def test_the_words_of_the_worker_come_first() -> None:
    words = WorkerMessage("SecretMissing", "Secret a/b has no key K.", Phase.FAILED)
    pod = replace(DEAD, exit_code=2, terminated_message=words.encode())
    end = ended(failed("PodFailurePolicy"), pod)
    assert (end.phase, end.reason, end.message) == (Phase.FAILED, "SecretMissing", "Secret a/b has no key K.")
    assert end.worker == words


def test_a_partial_backup_stays_partial_when_only_the_pod_can_tell() -> None:
    words = WorkerMessage("CollectionsFailed", "1 of 6.", Phase.PARTIALLY_FAILED, {"documents": 7})
    end = ended(failed("PodFailurePolicy"), replace(DEAD, exit_code=3, terminated_message=words.encode()))
    assert end.phase is Phase.PARTIALLY_FAILED
    assert end.worker is not None
    assert end.worker.status == {"documents": 7}


def test_the_last_of_several_tries_is_told_with_their_number() -> None:
    words = WorkerMessage("SourceUnavailable", "The database does not answer.")
    pods = [replace(DEAD, created=NOW - timedelta(minutes=age), terminated_message=words.encode()) for age in range(3)]
    end = ended(failed(), *pods)
    assert end.phase is Phase.FAILED
    assert (end.reason, end.message) == ("SourceUnavailable", "The database does not answer. (Tried 3 times.)")


def test_out_of_memory_names_the_limit_and_the_field() -> None:
    end = ended(failed(), replace(DEAD, exit_code=137, terminated_reason="OOMKilled"))
    assert end.reason == "OOMKilled"
    assert "512Mi" in end.message
    assert "spec.job.resources.limits.memory" in end.message


def test_out_of_memory_of_the_last_pod_hides_what_an_earlier_one_said() -> None:
    words = WorkerMessage("SourceUnavailable", "The database does not answer.")
    earlier = replace(DEAD, created=NOW - timedelta(minutes=9), terminated_message=words.encode())
    assert ended(failed(), earlier, replace(DEAD, terminated_reason="OOMKilled")).reason == "OOMKilled"


def test_an_evicted_pod_is_told_in_the_words_of_its_node() -> None:
    end = ended(failed(), replace(DEAD, exit_code=None, pod_reason="Evicted", pod_message="The node was low on disk."))
    assert end.reason == "Evicted"
    assert "low on disk" in end.message


def test_a_worker_that_was_killed_says_so() -> None:
    end = ended(failed(), replace(DEAD, exit_code=137))
    assert end.reason == "WorkerDied"
    assert "137" in end.message
    assert "kubectl logs shop-1-abc" in end.message


def test_the_tail_of_a_log_is_not_taken_for_words() -> None:
    assert ended(failed(), replace(DEAD, exit_code=1, terminated_message="Traceback: secret")).reason == "WorkerDied"


def test_a_deadline_names_the_field_and_the_seconds() -> None:
    end = ended(
        failed("DeadlineExceeded"), replace(DEAD, terminated_message=WorkerMessage("Interrupted", "Stop.").encode())
    )
    assert end.reason == "DeadlineExceeded"
    assert "activeDeadlineSeconds of 21600 s" in end.message
    assert "Stop." in end.message


def test_a_failed_job_without_pods_still_ends_the_run() -> None:
    end = ended(failed())
    assert (end.phase, end.reason) == (Phase.FAILED, "BackoffLimitExceeded")


def test_a_job_that_cannot_finish_failing_is_given_up() -> None:
    job = replace(JOB, failing_since=NOW, reason="DeadlineExceeded")
    assert verdict(job, RUNNING) is None
    assert ended(job, RUNNING, now=NOW + timedelta(seconds=90)).reason == "DeadlineExceeded"


OVERDUE = JOB.started + timedelta(seconds=JOB.deadline_seconds) + timedelta(seconds=90)


@pytest.mark.parametrize("pod", [RUNNING, DEAD])
def test_a_job_past_its_deadline_that_nobody_ends_is_given_up_within_two_minutes(pod: PodState) -> None:
    assert verdict(JOB, pod, now=OVERDUE - timedelta(seconds=1)) is None
    end = ended(JOB, pod, now=OVERDUE)
    assert (end.phase, end.reason) == (Phase.FAILED, "DeadlineExceeded")


def test_a_worker_that_came_to_its_end_is_believed_though_nobody_counts_it() -> None:
    words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, {"backupId": "b"})
    assert ended(JOB, replace(DEAD, terminated_message=words.encode()), now=OVERDUE).phase is Phase.SUCCEEDED


def test_a_job_that_is_suspended_has_no_deadline() -> None:
    assert verdict(replace(JOB, suspended=True), now=OVERDUE) is None


def test_a_report_that_was_lost_is_taken_from_the_pod() -> None:
    words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, {"backupId": "b"})
    job = replace(JOB, end="Complete")
    assert ended(job, replace(DEAD, exit_code=0, terminated_message=words.encode())).phase is Phase.SUCCEEDED
    assert ended(job).reason == "ReportLost"


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.PARTIALLY_FAILED])
def test_a_worker_that_names_no_backup_has_none(phase: Phase) -> None:
    words = WorkerMessage("Done", "", phase)
    end = proven(RunEnd(phase, "Done", "", words))
    assert (end.phase, end.reason) == (Phase.FAILED, "BackupMissing")


def test_a_worker_that_names_its_backup_is_believed() -> None:
    end = RunEnd(Phase.SUCCEEDED, "Done", "", WorkerMessage("Done", "", Phase.SUCCEEDED, {"backupId": "b"}))
    assert proven(end) is end


def test_a_failure_needs_no_proof() -> None:
    end = RunEnd(Phase.FAILED, "WorkerDied", "It died.")
    assert proven(end) is end


def test_a_job_that_somebody_deletes_cancels_the_run() -> None:
    assert ended(replace(JOB, deleting=True), RUNNING).phase is Phase.CANCELLED
    assert job_vanished("shop-1").phase is Phase.CANCELLED


def test_words_that_are_too_long_for_kubernetes_are_cut_and_still_read() -> None:
    words = WorkerMessage("CollectionsFailed", "ä" * 9000, Phase.PARTIALLY_FAILED, {"documents": 7})
    assert len(words.encode().encode()) <= 4096
    end = ended(failed("PodFailurePolicy"), replace(DEAD, terminated_message=words.encode()))
    assert end.phase is Phase.PARTIALLY_FAILED


def test_words_that_are_cut_still_name_the_backup() -> None:
    words = WorkerMessage("CollectionsFailed", "x" * 5000, Phase.PARTIALLY_FAILED, {"backupId": "b", "documents": 7})
    cut = parse_worker_message(words.encode())
    assert cut is not None
    assert cut.status == {"backupId": "b"}
