"""Policies that keep their backups outside of the server that they protect."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests import cluster
from tests.e2e.site import Site
from tests.support.s3 import REGION, S3


@pytest.fixture(scope="module")
def s3(kubernetes: cluster.Cluster) -> Iterator[S3]:
    with S3(host=kubernetes.node_address) as server:
        yield server


def condition(site: Site, kind: str) -> dict[str, Any]:
    conditions = site.kubectl.get("backuppolicy/timetrack")["status"]["conditions"]
    [found] = [one for one in conditions if one["type"] == kind]
    return dict(found)


def test_backups_beside_the_source_are_said_to_share_its_fate(site: Site) -> None:
    site.ready()
    found = condition(site, "SharedFailureDomain")
    assert (found["status"], found["reason"]) == ("True", "BesideSource")


def test_a_policy_keeps_its_backups_in_a_bucket(site: Site, s3: S3) -> None:
    bucket = s3.new_bucket()
    site.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys"},
            "stringData": {name: value for name, value in s3.settings.items() if "KEY" in name},
        }
    )
    place = {"bucket": bucket, "prefix": "team", "endpoint": s3.endpoint, "region": REGION}
    site.ready(storage={"s3": {**place, "credentialsSecretRef": {"name": "keys"}}})
    assert condition(site, "SharedFailureDomain")["status"] == "False"
    backup_id = site.back_up()["backupId"]
    listed = subprocess.run(
        [sys.executable, "-m", "holdfast", "verify", backup_id, "--read-data", "--repository", f"s3://{bucket}/team"],
        env={**os.environ, **s3.settings},
        capture_output=True,
        text=True,
    )
    assert listed.returncode == 0, listed.stderr
    assert s3.settings["AWS_SECRET_ACCESS_KEY"] not in site.everything_said()


def test_a_policy_keeps_its_backups_on_a_volume(site: Site) -> None:
    with TemporaryDirectory(prefix="holdfast-volume-") as name:
        folder = Path(name)
        folder.chmod(0o777)  # the pod's user is another one
        volume = f"{site.namespace}-backups"
        site.kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": volume},
                "spec": {
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "",
                    "claimRef": {"namespace": site.namespace, "name": "backups"},
                    "hostPath": {"path": name, "type": "Directory"},
                },
            }
        )
        site.fill()
        site.secret(site.uri())
        site.policy(storage={"volume": {"claimName": "backups", "path": "shop"}})
        assert "backups" in site.not_ready("VolumeMissing")
        site.kubectl.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": "backups"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "",
                    "volumeName": volume,
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
        )
        try:
            site.kubectl.wait("backuppolicy/timetrack", "condition=Ready")
            backup_id = site.back_up()["backupId"]
            assert (folder / "shop" / "backups" / backup_id).is_file()
        finally:
            site.kubectl("delete", f"persistentvolume/{volume}", "--wait=false")
