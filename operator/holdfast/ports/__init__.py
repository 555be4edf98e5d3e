"""Every door to the outside, as a Protocol: a module for each outside system.

Services know these and nothing behind them. Adapters (``mongo``, ``stores``, ``kube``) implement them; the shipped
fakes pass the same contract tests as the real ones. All calls block; every adapter has time-outs of its own and
raises errors of :mod:`holdfast.errors` only.
"""

from holdfast.ports.clock import Clock
from holdfast.ports.cluster import Cluster
from holdfast.ports.fence import Fence
from holdfast.ports.hooks import Messenger, Pinger
from holdfast.ports.kinds import (
    BACKUP_POLICY,
    BACKUP_RUN,
    CONFIG_MAP,
    CRON_JOB,
    DEPLOYMENT,
    EVENT,
    JOB,
    LEASE,
    POD,
    RESTORE_RUN,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE_ACCOUNT,
    VOLUME_CLAIM,
    Kind,
    KubeObject,
)
from holdfast.ports.mail import Letter, Mailer
from holdfast.ports.metrics import Family, Meter, Sample
from holdfast.ports.mirror import Change, Mirror
from holdfast.ports.oplog import Oplog, Replayer
from holdfast.ports.probe import SourceProbe
from holdfast.ports.progress import Advance, CollectionAdvance, Progress
from holdfast.ports.signups import Person, PersonFields, Signups, SignupSource, UserCollection
from holdfast.ports.source import (
    WHOLE,
    ClusterTime,
    CollectionInfo,
    CollectionType,
    Estimate,
    KeyRange,
    Member,
    ServerInfo,
    Source,
)
from holdfast.ports.store import Labels, Store
from holdfast.ports.target import Target
from holdfast.ports.viewers import Reviewer, Viewer
from holdfast.ports.witness import Fate, Witness

__all__ = [
    "BACKUP_POLICY",
    "BACKUP_RUN",
    "CONFIG_MAP",
    "CRON_JOB",
    "DEPLOYMENT",
    "EVENT",
    "JOB",
    "LEASE",
    "POD",
    "RESTORE_RUN",
    "ROLE",
    "ROLE_BINDING",
    "SECRET",
    "SERVICE_ACCOUNT",
    "VOLUME_CLAIM",
    "WHOLE",
    "Advance",
    "Change",
    "Clock",
    "Cluster",
    "ClusterTime",
    "CollectionAdvance",
    "CollectionInfo",
    "CollectionType",
    "Estimate",
    "Family",
    "Fate",
    "Fence",
    "KeyRange",
    "Kind",
    "KubeObject",
    "Labels",
    "Letter",
    "Mailer",
    "Member",
    "Messenger",
    "Meter",
    "Mirror",
    "Oplog",
    "Person",
    "PersonFields",
    "Pinger",
    "Progress",
    "Replayer",
    "Reviewer",
    "Sample",
    "ServerInfo",
    "SignupSource",
    "Signups",
    "Source",
    "SourceProbe",
    "Store",
    "Target",
    "UserCollection",
    "Viewer",
    "Witness",
]
