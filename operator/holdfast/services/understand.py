"""Whether this release knows all that is asked of it: something else than what is wanted is worse than nothing."""

from holdfast.errors import InvalidSpec
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun
from holdfast.version import VERSION


def check_understood(run: BackupRun | RestoreRun) -> None:
    """InvalidSpec for a run whose spec was written for a newer release."""
    for path in run.unread:
        if path.startswith("spec."):
            raise InvalidSpec(
                f"{path} of {run.kind} {run.metadata.name} is not known to Holdfast {VERSION}.",
                hint="It was written for a newer one: upgrade the operator, which starts workers of its own version, "
                "and create another run.",
            )
