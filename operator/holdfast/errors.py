"""Every error that Holdfast raises on purpose, in one tree.

::

    HoldfastError
    ├── InvalidInput                exit 2   what the user gave is wrong: do not retry
    │   ├── InvalidSpec                      a policy, a run or an option makes no sense
    │   ├── InvalidUri                       a MongoDB URI, a repository address or a URL cannot be read
    │   ├── SecretMissing                    a Secret, or a key in it, is not there
    │   ├── VolumeMissing                    a PersistentVolumeClaim is not there, or has lost its volume
    │   ├── AuthenticationFailed             the server refused the user or the password
    │   ├── NotAuthorized                    the user is known but lacks a privilege
    │   ├── InvalidMailSettings              the SMTP settings make no sense, or do not fit the mail server
    │   ├── InvalidKey                       the encryption key is missing, wrong, or not needed
    │   ├── TimeNotReachable                 no backup and oplog lead to that point in time
    │   ├── BackupNotFound                   no backup, or more than one, answers to a name
    │   ├── BackupOutOfReach                 a backup is there, and cannot be read from here
    │   ├── PolicyNotFound                   no BackupPolicy, or more than one, answers to a name
    │   ├── RunNotFound                      no BackupRun or RestoreRun answers to a name
    │   └── TargetNotEmpty                   a restore would meet data that is there already
    ├── Unavailable                 exit 75  something outside did not answer: try again later
    │   ├── SourceUnavailable                the database that is backed up, or restored into
    │   ├── StoreUnavailable                 the place where backups lie
    │   ├── RepositoryBusy                   another process holds a lock that excludes ours
    │   ├── TargetBusy                       another restore is at work on the same database
    │   ├── ClusterUnavailable               the Kubernetes API
    │   ├── LeaseLost                        another operator leads, and ours must not act any more
    │   ├── HookUnavailable                  a URL that is to be called, or it asks us to come back later
    │   ├── MailUnavailable                  the mail server, or it asks us to come back later
    │   ├── SnapshotLost                     the server no longer has the snapshot we read at
    │   ├── ProcessKilled                    a process of ours was ended from outside
    │   ├── CatalogueChanged                 a collection was dropped, renamed or made anew while it was read
    │   └── Interrupted                      a signal asked us to stop
    └── OperationFailed             exit 1   it was tried, and it did not work
        ├── HookRefused                      a URL that is called answers that it does not want it
        ├── MailRefused                      the mail server will not take this mail, or this recipient
        ├── OplogGap                         a stretch of the oplog is not there any more
        ├── CollectionFailed                 one collection could not be backed up or restored
        ├── DamagedBackup                    stored bytes are not what was stored
        ├── DamagedDump                      a file of mongodump is not what was written
        ├── StoreFull                        the place where backups lie has no room
        ├── RepositoryTooNew                 a newer Holdfast wrote this repository
        └── ConsistencyUnavailable           ``consistency: Required`` cannot be had here

A message names the object and says what is wrong; ``hint`` says what to do next. Neither ever holds a secret: text
that comes from a driver goes through the adapter that raised it, and that adapter takes credentials out.
"""

from typing import ClassVar


class HoldfastError(Exception):
    """The root. ``reason`` is the CamelCase word that conditions and events show."""

    reason: ClassVar[str] = "Error"
    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(HoldfastError):
    reason = "InvalidInput"
    exit_code = 2


class InvalidSpec(InvalidInput):
    reason = "InvalidSpec"


class InvalidUri(InvalidInput):
    reason = "InvalidUri"


class SecretMissing(InvalidInput):
    reason = "SecretMissing"


class VolumeMissing(InvalidInput):
    reason = "VolumeMissing"


class AuthenticationFailed(InvalidInput):
    reason = "AuthenticationFailed"


class NotAuthorized(InvalidInput):
    reason = "NotAuthorized"


class InvalidMailSettings(InvalidInput):
    reason = "InvalidMailSettings"


class InvalidKey(InvalidInput):
    reason = "InvalidKey"


class TimeNotReachable(InvalidInput):
    reason = "TimeNotReachable"


class BackupNotFound(InvalidInput):
    reason = "BackupNotFound"


class BackupOutOfReach(InvalidInput):
    reason = "BackupOutOfReach"


class PolicyNotFound(InvalidInput):
    reason = "PolicyNotFound"


class RunNotFound(InvalidInput):
    reason = "RunNotFound"


class TargetNotEmpty(InvalidInput):
    reason = "TargetNotEmpty"


class Unavailable(HoldfastError):
    reason = "Unavailable"
    exit_code = 75
    retryable = True


class SourceUnavailable(Unavailable):
    reason = "SourceUnavailable"


class StoreUnavailable(Unavailable):
    reason = "StoreUnavailable"


class RepositoryBusy(Unavailable):
    reason = "RepositoryBusy"


class TargetBusy(Unavailable):
    reason = "TargetBusy"


class ClusterUnavailable(Unavailable):
    reason = "ClusterUnavailable"


class LeaseLost(Unavailable):
    reason = "LeaseLost"


class HookUnavailable(Unavailable):
    reason = "HookUnavailable"


class MailUnavailable(Unavailable):
    reason = "MailUnavailable"


class SnapshotLost(Unavailable):
    reason = "SnapshotLost"


class ProcessKilled(Unavailable):
    reason = "ProcessKilled"


class CatalogueChanged(Unavailable):
    reason = "CatalogueChanged"


class Interrupted(Unavailable):
    reason = "Interrupted"


class OperationFailed(HoldfastError):
    reason = "OperationFailed"


class HookRefused(OperationFailed):
    reason = "HookRefused"


class MailRefused(OperationFailed):
    reason = "MailRefused"


class OplogGap(OperationFailed):
    reason = "OplogGap"


class CollectionFailed(OperationFailed):
    reason = "CollectionFailed"


class DamagedBackup(OperationFailed):
    reason = "DamagedBackup"


class DamagedDump(OperationFailed):
    reason = "DamagedDump"


class StoreFull(OperationFailed):
    reason = "StoreFull"


class RepositoryTooNew(OperationFailed):
    reason = "RepositoryTooNew"


class ConsistencyUnavailable(OperationFailed):
    reason = "ConsistencyUnavailable"


EXIT_PARTIAL = 3
"""Exit code of a backup or restore that is good in part."""
