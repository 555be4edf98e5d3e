"""All policies, runs and restores as they were last seen, so that a scrape asks the API server for nothing.

Events keep it fresh; the survey, which lists everything anyway, sets it right: what was deleted while nobody watched
leaves no series.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock

from pydantic import ValidationError

from holdfast.errors import InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Clock, Kind, KubeObject, Sample
from holdfast.resources.policy import BackupPolicy
from holdfast.services.write_status import parse_policy, parse_restore, parse_run
from holdfast.specs.series import RestoreFacts, RunFacts, policy_samples, restore_facts, run_facts

_Fact = BackupPolicy | RunFacts | RestoreFacts
_Place = tuple[str, str]
"""Namespace and name."""

_READERS: dict[str, Callable[[KubeObject], _Fact]] = {
    BACKUP_POLICY.name: parse_policy,
    BACKUP_RUN.name: lambda body: run_facts(parse_run(body)),
    RESTORE_RUN.name: lambda body: restore_facts(parse_restore(body)),
}


class Census:
    """May be asked and told by several threads at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, Lock()
        self._known: dict[str, dict[_Place, _Fact]] = {name: {} for name in _READERS}
        self._versions: dict[str, dict[_Place, str]] = {name: {} for name in _READERS}
        """The resource versions of what was read."""

    def note(self, kind: Kind, body: KubeObject) -> None:
        """What an object is like now."""
        fact = _read(kind, body)
        with self._lock:
            if fact is None:
                self._known[kind.name].pop(_place(body), None)
            else:
                self._known[kind.name][_place(body)] = fact
                self._versions[kind.name][_place(body)] = _version(body)

    def forget(self, kind: Kind, body: KubeObject) -> None:
        with self._lock:
            self._known[kind.name].pop(_place(body), None)

    def replace(self, kind: Kind, bodies: Iterable[KubeObject], namespace: str | None) -> None:
        """All that there is of a kind, in one namespace or (None) in all."""
        seen: dict[_Place, _Fact] = {}
        versions: dict[_Place, str] = {}
        for body in bodies:
            place, version = _place(body), _version(body)
            # Most have not changed since the last survey, and there may be thousands.
            same = version and self._versions[kind.name].get(place) == version
            fact = self._known[kind.name].get(place) if same else _read(kind, body)
            if fact is not None:
                seen[place], versions[place] = fact, version
        with self._lock:
            kept = {
                place: version
                for place, version in self._versions[kind.name].items()
                if namespace is not None and place[0] != namespace
            }
            self._versions[kind.name] = kept | versions
            others = {
                place: fact
                for place, fact in self._known[kind.name].items()
                if namespace is not None and place[0] != namespace
            }
            self._known[kind.name] = others | seen

    def samples(self) -> Iterator[Sample]:
        """Of all policies, as of now."""
        now = self._clock()
        with self._lock:
            policies = [fact for fact in self._known[BACKUP_POLICY.name].values() if isinstance(fact, BackupPolicy)]
            runs = self._by_policy(BACKUP_RUN)
            restores = self._by_policy(RESTORE_RUN)
        for policy in policies:
            place = (policy.metadata.namespace, policy.metadata.name)
            own_runs = [fact for fact in runs.get(place, ()) if isinstance(fact, RunFacts)]
            own_restores = [fact for fact in restores.get(place, ()) if isinstance(fact, RestoreFacts)]
            yield from policy_samples(policy, own_runs, own_restores, now)

    def _by_policy(self, kind: Kind) -> dict[_Place, Sequence[_Fact]]:
        found: dict[_Place, list[_Fact]] = {}
        for (namespace, _), fact in self._known[kind.name].items():
            if not isinstance(fact, BackupPolicy):
                found.setdefault((namespace, fact.policy), []).append(fact)
        return dict(found)


def _read(kind: Kind, body: KubeObject) -> _Fact | None:
    """None for one that makes no sense to us: a newer release may have written it."""
    try:
        return _READERS[kind.name](body)
    except (InvalidSpec, ValidationError):
        return None


def _version(body: KubeObject) -> str:
    return str(body["metadata"].get("resourceVersion", ""))


def _place(body: KubeObject) -> _Place:
    return body["metadata"]["namespace"], body["metadata"]["name"]
