"""What may change between two releases, and what may not: each recorded release against the code at hand."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from typer.main import get_command

from holdfast.cli import app
from holdfast.resources.crd import backup_policies, backup_runs, restore_runs
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun
from holdfast.services.write_status import parse_policy, parse_restore, parse_run
from holdfast.settings import ArchiveSettings, RestoreSettings, WorkerSettings
from tests.support.release import Release, pods_of_workers, releases

Schema = dict[str, Any]
RECORDED = pytest.mark.parametrize("release", releases(), ids=lambda release: str(release.folder.name))


def schemas(documents: list[Schema]) -> dict[str, Schema]:
    return {one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for one in documents}


def breaks(path: str, old: Schema, new: Schema, *, spec: bool) -> Iterator[str]:
    """What an object, or a worker, of the older release would stumble over."""
    if old.get("type") != new.get("type"):
        yield f"{path}: the type was {old.get('type')} and is {new.get('type')}"
    if gone := set(old.get("enum", ())) - set(new.get("enum") or old.get("enum", ())):
        yield f"{path}: there is no {', '.join(sorted(gone))} any more"
    if wanted := set(new.get("required", ())) - set(old.get("required", ())):
        yield f"{path}: {', '.join(sorted(wanted))} must be there now"
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in sorted(before.keys() - after.keys()):
        yield f"{path}.{name}: is gone"
    for name in sorted(after.keys() - before.keys()):
        if spec and "default" in after[name]:
            yield f"{path}.{name}: its default would be put into every policy, and an older worker refuses the name"
    for name in sorted(before.keys() & after.keys()):
        yield from breaks(f"{path}.{name}", before[name], after[name], spec=spec)
    if "items" in old and "items" in new:
        yield from breaks(f"{path}[]", old["items"], new["items"], spec=spec)


@RECORDED
def test_what_that_release_stored_is_still_taken_and_understood(release: Release) -> None:
    old = schemas([yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(release.crds.iterdir())])
    new = schemas([backup_policies(), backup_runs(), restore_runs()])
    found = [
        fault
        for kind in old
        for part in ("spec", "status")
        for fault in breaks(
            f"{kind}.{part}", old[kind]["properties"][part], new[kind]["properties"][part], spec=part == "spec"
        )
    ]
    assert not found


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"properties": {"b": {"type": "string"}}}, "a: is gone"),
        ({"properties": {"a": {"type": "integer"}}}, "the type was string and is integer"),
        ({"properties": {"a": {"type": "string", "enum": ["y"]}}}, "there is no x any more"),
        ({"properties": {"a": {"type": "string", "enum": ["x", "y"]}}, "required": ["a"]}, "a must be there now"),
        (
            {"properties": {"a": {"type": "string", "enum": ["x"]}, "b": {"type": "integer", "default": 3}}},
            "b: its default",
        ),
    ],
)
def test_a_change_that_breaks_is_seen(new: Schema, said: str) -> None:
    old = {"properties": {"a": {"type": "string", "enum": ["x"]}}}
    assert any(said in fault for fault in breaks("spec", old, new, spec=True))


def test_a_change_that_breaks_nothing_is_let_through() -> None:
    old = {"properties": {"a": {"type": "string", "enum": ["x"]}}}
    new = {"properties": {"a": {"type": "string", "enum": ["x", "y"]}, "b": {"type": "integer"}}}
    assert not list(breaks("spec", old, new, spec=True))


@RECORDED
def test_each_object_of_that_release_is_read_whole(release: Release) -> None:
    for body in release.objects("BackupPolicy"):
        assert parse_policy(body).unread == ()
    parsers: dict[str, Callable[[Schema], BackupRun | RestoreRun]] = {
        "BackupRun": parse_run,
        "RestoreRun": parse_restore,
    }
    for kind, parse in parsers.items():
        bodies = release.objects(kind)
        assert bodies
        for body in bodies:
            found = parse(body)
            assert found.unread == ()
            written = found.status.to_wire()
            assert {name: written.get(name) for name in body["status"]} == body["status"]


@RECORDED
def test_a_worker_of_this_release_understands_what_that_operator_tells_it(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker: Any = get_command(app)
    names = set(worker.commands["worker"].commands)
    pods = list(pods_of_workers(release))
    assert pods
    for pod in pods:
        [container] = pod["containers"]
        assert container["args"][0] == "worker"
        assert container["args"][1] in names
        for one in container["env"]:
            monkeypatch.setenv(one["name"], one.get("value", "1"))
        if container["args"][1] == "archive":
            assert ArchiveSettings().policy
        elif container["args"][1] == "restore":
            assert RestoreSettings().policy
        else:
            assert WorkerSettings().policy
