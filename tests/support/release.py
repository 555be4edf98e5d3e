"""What a release left behind: ``tests/data/releases/VERSION``, which every later release must go on with.

- ``repository`` and ``sealed`` (with ``sealed.key``): a repository with two backups, and an encrypted one;
- ``expected.json``: what the restored collections of each backup must be;
- ``crds``, and ``objects.yaml``: policies, runs and restores with the statuses that the release has written, and the
  Jobs and CronJobs that it has made of them.

``python -m tests.support.record_release`` writes the folder of the version at hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pymongo.database import Database

from tests.support.compare import snapshot_of

RELEASES = Path(__file__).parents[1] / "data" / "releases"
OURS = ("BackupPolicy", "BackupRun", "RestoreRun")
Object = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """One folder."""

    folder: Path

    @property
    def crds(self) -> Path:
        return self.folder / "crds"

    @property
    def expected(self) -> Path:
        return self.folder / "expected.json"

    def objects(self, *kinds: str) -> list[Object]:
        """Those of these kinds, in their order; owners come before what they own."""
        text = (self.folder / "objects.yaml").read_text(encoding="utf-8")
        return [body for kind in kinds for body in yaml.safe_load_all(text) if body["kind"] == kind]


def releases() -> list[Release]:
    """All that are recorded, for ``parametrize``."""
    return [Release(folder) for folder in sorted(RELEASES.iterdir())]


def pods_of_workers(release: Release) -> Iterator[Object]:
    """What the release has put into Jobs and CronJobs."""
    for body in release.objects("Job"):
        yield body["spec"]["template"]["spec"]
    for body in release.objects("CronJob"):
        yield body["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def facts_of(database: Database[Any]) -> dict[str, Any]:
    """What is to be restored, so that another release can tell whether it was."""
    return {
        name: {
            "kind": image.kind,
            "documents": image.count,
            "sha256": image.ordered.hex(),
            "options": image.options.hex(),
            "indexes": {index: spec.hex() for index, spec in sorted(image.indexes.items())},
        }
        for name, image in sorted(snapshot_of(database).collections.items())
    }
