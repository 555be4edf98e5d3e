"""Wait for the end of a run, and tell on the way what it says of itself."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdfast.cli.console import errors, print_warning
from holdfast.domain.phases import RESTORE_TERMINAL, TERMINAL
from holdfast.errors import EXIT_PARTIAL, OperationFailed, Unavailable
from holdfast.ports import Kind, KubeObject

if TYPE_CHECKING:
    from holdfast.kube.person import Person

STEP_SECONDS = 1.0
_ENDS = {str(phase) for phase in (*TERMINAL, *RESTORE_TERMINAL)}
_CODES = {"Succeeded": 0, "PartiallyFailed": EXIT_PARTIAL}


def wait_for_end(person: "Person", kind: Kind, made: KubeObject, timeout: int) -> KubeObject:
    """A run that was just made, once it has ended. Unavailable after ``timeout`` seconds, if that is not 0.

    Only the waiting ends then, or by a signal: the run goes on in the cluster.
    """
    last = ""

    def look(one: KubeObject) -> bool:
        nonlocal last
        told = _told(one.get("status", {}))
        if told != last:
            errors.print(told)
        last = told
        return one.get("status", {}).get("phase") in _ENDS

    return wait_until(person, kind, made, look, timeout)


def wait_until(
    person: "Person", kind: Kind, about: KubeObject, done: Callable[[KubeObject], bool], timeout: int
) -> KubeObject:
    """Look at an object each second until ``done``. OperationFailed if it goes away meanwhile."""
    namespace, name = about["metadata"]["namespace"], about["metadata"]["name"]
    end = time.monotonic() + timeout
    away = False
    while True:
        try:
            one = person.cluster.get(kind, namespace, name)
        except Unavailable as error:
            if not away:
                print_warning(f"{error.message} Asking again until it does.")
            away = True
        else:
            away = False
            if one is None or one["metadata"]["uid"] != about["metadata"]["uid"]:
                raise OperationFailed(f"{kind.name} {namespace}/{name} was deleted while it was waited for.")
            if done(one):
                return one
        if timeout and time.monotonic() >= end:
            raise Unavailable(
                f"{kind.name} {namespace}/{name} shows no end after {timeout} seconds.", hint="It goes on all the same."
            )
        time.sleep(STEP_SECONDS)


def exit_code(one: KubeObject) -> int:
    """Of a run that has ended: 0, 1, or 3 if it is good in part."""
    return _CODES.get(one["status"]["phase"], 1)


def _told(status: dict[str, Any]) -> str:
    phase = status.get("phase") or "Pending"
    parts = [phase if phase in _ENDS else f"{phase} {status.get('progress') or ''}".rstrip(), status.get("message")]
    return ": ".join(part for part in parts if part)
