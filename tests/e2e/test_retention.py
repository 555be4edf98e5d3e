"""Old backups go, and the cluster says so."""

import json
import subprocess
import sys

from tests.e2e.site import Site

ONE = {"keepDaily": 0, "keepMonthly": 0, "keepLast": 1}


def stored(site: Site) -> set[str]:
    """The backups in the repository, as the command line lists them."""
    repository = ("--repository", f"mongodb:{site.database}", "--uri-file", str(site.mongod.uri_file))
    command = [sys.executable, "-m", "holdfast", "list", "--json", *repository]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {backup["backupId"] for backup in json.loads(printed)}


def test_what_the_rule_does_not_keep_goes_after_the_next_backup_and_what_is_held_stays(site: Site) -> None:
    site.ready(retention=ONE)
    held = site.start()
    kept = site.ended(held)["backupId"]
    site.kubectl("annotate", f"backuprun/{held}", "holdfast.dev/hold=the year's end")
    old = site.start()
    site.ended(old)
    new = site.start()
    newest = site.ended(new)["backupId"]
    site.kubectl.wait(f"backuprun/{old}", "condition=Pruned")
    site.kubectl.wait(f"backuprun/{new}", "jsonpath={.status.retention.time}")
    assert stored(site) == {kept, newest}
    assert "Pruned" in site.kubectl("describe", f"backuprun/{new}")
    site.kubectl.wait("backuppolicy/timetrack", "condition=RetentionCompliant")


def test_a_deleted_run_takes_its_backup_along_and_the_last_good_one_stays(site: Site) -> None:
    site.ready(retention={"keepLast": 5})
    site.kubectl("patch", "backuppolicy/timetrack", "--type=merge", '--patch={"spec":{"deletionPolicy":"Delete"}}')
    old = site.start()
    site.ended(old)
    new = site.start()
    newest = site.ended(new)["backupId"]
    for run in (old, new):
        site.kubectl("wait", f"backuprun/{run}", "--for=jsonpath={.metadata.finalizers}", "--timeout=30s")
        site.kubectl("delete", f"backuprun/{run}", "--timeout=120s")
    assert stored(site) == {newest}
    told = site.kubectl("describe", "backuppolicy/timetrack")
    assert "BackupDeleted" in told
    assert f"holdfast.dev/confirm-delete={newest}" in told
