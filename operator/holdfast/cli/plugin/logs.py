"""``kubectl holdfast logs``: what the worker of a run wrote."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.plugin.options import LISTS_RUNS, Context, Kubeconfig, Namespace, person
from holdfast.errors import InvalidSpec, OperationFailed
from holdfast.ports import BACKUP_RUN, POD, RESTORE_RUN, KubeObject
from holdfast.specs.names import JOB_LABEL, WORKER_CONTAINER, job_of_restore, job_of_run

if TYPE_CHECKING:
    from holdfast.kube.person import Person


def logs(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="Name of a BackupRun or a RestoreRun; br/NAME or rr/NAME where both have it; job/NAME."
        ),
    ],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as more is written.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the log of a run's newest pod, as kubectl logs does."""
    me = person(kubeconfig, context)
    place = namespace or me.namespace
    job, told = _job_of(me, place, run)
    pods = me.cluster.list(POD, place, {"batch.kubernetes.io/job-name": job})
    if not pods:
        raise OperationFailed(f"Job {place}/{job} has no pod, or none any more.", hint=f"The run says: {told}")
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    _hand_over(kubeconfig, context, place, newest["metadata"]["name"], follow=follow)


def _job_of(me: "Person", place: str, run: str) -> tuple[str, str]:
    """The Job of a run, and what its status says."""
    kind, slash, name = run.rpartition("/")
    if kind not in ("", "br", "rr", "job"):
        raise InvalidSpec(f"{kind}/ has no logs here.", hint="There are br/NAME, rr/NAME and job/NAME.")
    if kind == "job":
        return name, "nothing"
    backup = me.cluster.get(BACKUP_RUN, place, name) if kind in ("", "br") else None
    if backup:
        if backup["spec"].get("reason") == "PreRestore":
            restore = name.removeprefix("before-")
            raise InvalidSpec(
                f"BackupRun {place}/{name} was taken by the worker of a restore.",
                hint=f"kubectl holdfast logs rr/{restore}",
            )
        job = backup["metadata"].get("labels", {}).get(JOB_LABEL) or job_of_run(name)
        return job, _said(backup)
    restored = me.cluster.get(RESTORE_RUN, place, name) if kind in ("", "rr") else None
    if restored is None:
        what = "BackupRun" if kind == "br" else "RestoreRun" if slash else "BackupRun or RestoreRun"
        raise InvalidSpec(f"There is no {what} {place}/{name}.", hint=LISTS_RUNS)
    return restored.get("status", {}).get("job") or job_of_restore(name), _said(restored)


def _said(run: KubeObject) -> str:
    status = run.get("status", {})
    return ": ".join(filter(None, [status.get("phase") or "Pending", status.get("message")]))


def _hand_over(kubeconfig: Path | None, context: str | None, place: str, pod: str, *, follow: bool) -> None:
    """Become ``kubectl logs``, which streams, and knows each way to sign in."""
    program = shutil.which("kubectl")
    if program is None:
        raise InvalidSpec("There is no kubectl on the PATH.", hint="logs needs it.")
    words = [program, "logs", pod, f"--namespace={place}", f"--container={WORKER_CONTAINER}"]
    words += [f"--kubeconfig={kubeconfig}"] if kubeconfig else []
    words += [f"--context={context}"] if context else []
    words += ["--follow"] if follow else []
    os.execv(program, words)  # noqa: S606 (a list of our own words)
