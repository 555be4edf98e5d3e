"""What the API answers: the models behind its OpenAPI document."""

from typing import Annotated, Literal, Self

from pydantic import Field

from holdfast.resources.base import Metadata, Status, Timestamp
from holdfast.resources.conditions import Condition
from holdfast.resources.health import Health, Statistics
from holdfast.resources.policy import BackupPolicy, BackupPolicySpec, BackupPolicyStatus, LastSuccessfulRun
from holdfast.resources.restore_run import RestoreRun, RestoreRunSpec, RestoreRunStatus
from holdfast.resources.retention import PolicyRetention, RetentionSpec
from holdfast.resources.run import BackupRun, BackupRunSpec, BackupRunStatus
from holdfast.resources.storage import StorageSpec
from holdfast.services.recent_changes import Note

RECENT_RUNS = 10

Next = Annotated[str | None, Field(description="What `after` takes to go on; nothing: this was all.")]
Name = Annotated[str, Field(description="Its name.")]
Namespace = Annotated[str, Field(description="Its namespace.")]
Created = Annotated[Timestamp | None, Field(description="When the object was made.")]


class PolicyAnswer(Status):
    """A BackupPolicy."""

    namespace: Namespace
    name: Name
    created: Created = None
    spec: Annotated[BackupPolicySpec, Field(description="What is wanted.")]
    status: Annotated[BackupPolicyStatus, Field(description="What is.")]

    @classmethod
    def of(cls, policy: BackupPolicy) -> Self:
        return cls(**_head(policy.metadata), spec=policy.spec, status=policy.status)


class RunAnswer(Status):
    """A BackupRun."""

    namespace: Namespace
    name: Name
    created: Created = None
    spec: Annotated[BackupRunSpec, Field(description="What is wanted.")]
    status: Annotated[BackupRunStatus, Field(description="What is.")]

    @classmethod
    def of(cls, run: BackupRun) -> Self:
        return cls(**_head(run.metadata), spec=run.spec, status=run.status)


class RestoreAnswer(Status):
    """A RestoreRun."""

    namespace: Namespace
    name: Name
    created: Created = None
    spec: Annotated[RestoreRunSpec, Field(description="What is wanted.")]
    status: Annotated[RestoreRunStatus, Field(description="What is.")]

    @classmethod
    def of(cls, run: RestoreRun) -> Self:
        return cls(**_head(run.metadata), spec=run.spec, status=run.status)


class Policies(Status):
    """A page of policies, by namespace and name."""

    items: tuple[PolicyAnswer, ...]
    after: Next = None


class Runs(Status):
    """A page of runs, newest first."""

    items: tuple[RunAnswer, ...]
    after: Next = None


class Restores(Status):
    """A page of restores, newest first."""

    items: tuple[RestoreAnswer, ...]
    after: Next = None


class ScheduleAnswer(Status):
    """When backups are taken."""

    cron: str
    time_zone: str
    suspended: bool
    next: Annotated[Timestamp | None, Field(description="When the next one starts.")] = None


class RetentionAnswer(Status):
    """Which backups stay."""

    rule: RetentionSpec
    state: Annotated[PolicyRetention | None, Field(description="How the rule is kept, once that was looked at.")] = None


class BackupStatus(Status):
    """How a policy does, on one page."""

    namespace: Annotated[str, Field(description="Of the policy.")]
    policy: Annotated[str, Field(description="Its name.")]
    health: Annotated[Health | None, Field(description="The five checks, once they were made.")] = None
    conditions: tuple[Condition, ...] = ()
    statistics: Annotated[Statistics | None, Field(description="The last 30 days in numbers.")] = None
    schedule: ScheduleAnswer
    retention: RetentionAnswer
    storage: Annotated[StorageSpec, Field(description="Where the backups lie; Secrets by name only.")]
    last_successful_run: LastSuccessfulRun | None = None
    recent_runs: Annotated[tuple[RunAnswer, ...], Field(description="The newest ten.")] = ()

    @classmethod
    def of(cls, policy: BackupPolicy, runs: list[BackupRun]) -> Self:
        """``runs``: the newest RECENT_RUNS of the policy, newest first."""
        spec, status = policy.spec, policy.status
        schedule = spec.schedule
        return cls(
            namespace=policy.metadata.namespace,
            policy=policy.metadata.name,
            health=status.health,
            conditions=status.conditions,
            statistics=status.statistics,
            schedule=ScheduleAnswer(
                cron=schedule.cron,
                time_zone=schedule.time_zone,
                suspended=schedule.suspend,
                next=status.next_schedule_time,
            ),
            retention=RetentionAnswer(rule=spec.retention, state=status.retention),
            storage=spec.storage,
            last_successful_run=status.last_successful_run,
            recent_runs=tuple(RunAnswer.of(run) for run in runs),
        )


class Started(Status):
    """A backup that begins."""

    namespace: Annotated[str, Field(description="Of the policy, and of the run.")]
    policy: Annotated[str, Field(description="Name of the policy.")]
    name: Annotated[str, Field(description="Name of the BackupRun.")]


class MailAnswer(Status):
    """Whether a policy sends mail, by which server and to whom; no secrets."""

    namespace: Annotated[str, Field(description="Of the policy.")]
    policy: Annotated[str, Field(description="Its name.")]
    configured: Annotated[bool, Field(description="Mail can be sent, as far as can be seen without sending one.")]
    reason: Annotated[str, Field(description="Configured, or why not, as one CamelCase word.")]
    message: Annotated[str, Field(description="The same in words, with what to do.")]
    server: Annotated[str | None, Field(description="Host and port of the mail server.")] = None
    sender: Annotated[str | None, Field(description="Whom mails are from.")] = None
    recipients: Annotated[tuple[str, ...], Field(description="Whom they are for.")] = ()


class SampleMailSent(Status):
    """The mail server took a mail with sample data for all recipients of the policy."""

    namespace: Annotated[str, Field(description="Of the policy.")]
    policy: Annotated[str, Field(description="Its name.")]
    kind: Annotated[str, Field(description="Which mail.")]
    server: Annotated[str, Field(description="Host and port of the mail server.")]
    recipients: Annotated[tuple[str, ...], Field(description="The addresses that it took it for.")]
    note: Annotated[str | None, Field(description="Why a template of the policy was not used, if so.")] = None


class AutomatedAnswer(Status):
    """Of how many policies the run that is due on schedule was started now, and why not of the others."""

    started: Annotated[int, Field(description="It was made now.")]
    there: Annotated[int, Field(description="It is there, or was.")]
    busy: Annotated[int, Field(description="An earlier run still works.")]
    suspended: Annotated[int, Field(description="The schedule is suspended.")]
    not_due: Annotated[int, Field(description="None is due, or it is too late to start it.")]


class Finished(Status):
    """A backup that has ended well, or in part."""

    namespace: Annotated[str, Field(description="Of the policy, and of the run.")]
    policy: Annotated[str, Field(description="Name of the policy.")]
    name: Annotated[str, Field(description="Name of the BackupRun.")]
    run: Annotated[RunAnswer, Field(description="The run: its status has the numbers.")]


class ChangeAnswer(Status):
    """What changed, in a few words; the lists tell the rest."""

    kind: Annotated[str, Field(description="BackupPolicy, BackupRun or RestoreRun.")]
    namespace: Namespace
    name: Name
    change: Annotated[Literal["Changed", "Deleted"], Field(description="Changed: it is new, or other than it was.")]
    policy: Annotated[str | None, Field(description="Name of the policy, where the object names one.")] = None
    phase: Annotated[str | None, Field(description="Of a run or a restore.")] = None
    progress: Annotated[str | None, Field(description="How far it is.")] = None

    @classmethod
    def of(cls, note: Note) -> Self:
        return cls(
            kind=note.kind.name,
            namespace=note.namespace,
            name=note.name,
            change="Deleted" if note.gone else "Changed",
            policy=note.policy,
            phase=note.phase,
            progress=note.progress,
        )


class Problem(Status):
    """A refusal (RFC 9457)."""

    type: Annotated[str, Field(description="Which kind of problem: about:blank, its title says all.")] = "about:blank"
    title: Annotated[str, Field(description="The reason, as one CamelCase word.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="What is wrong.")]
    hint: Annotated[str | None, Field(description="What to do.")] = None


def _head(metadata: Metadata) -> dict[str, object]:
    return {"namespace": metadata.namespace, "name": metadata.name, "created": metadata.creation_timestamp}
